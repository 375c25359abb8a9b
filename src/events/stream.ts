import { readScript } from '../store/script'
import type { Store } from '../store/store'
import type {
  Alert,
  Event,
  ManyRestrictedEvent,
  MeterFacts,
  ResolvedEvent,
  Snoozed,
} from '../records/event'
import { SNOOZABLE, type Snoozable } from '../records/snooze'
import { MANY, MANY_SPAN, manyRestricted, type Many, type ReadChanges } from './many'
import { ends, opens } from './open'
import { describe } from './words'

const PUBLISH = readScript(__dirname, 'publish')
const CLOSE_GROUPS = readScript(__dirname, 'close_groups')

/** Alerts to close in one call. */
const BATCH = 100

/** The stream of all events. */
export class EventStream {
  /** @param changedSince for the alert about many restrictions; absent: it does not say what was changed. */
  constructor(
    private readonly store: Store,
    private readonly changedSince: ReadChanges = () => Promise.resolve([]),
  ) {}

  /**
   * Puts an event into the stream, once, however often and by however many processes it is called.
   *
   * @returns its alert, behind the one about many restrictions if that began with it; empty: it was there before.
   * @throws where Redis gave no answer; a second call is safe.
   */
  async publish(tenant: string, event: Event): Promise<Alert[]> {
    const asked = await this.put(tenant, event)
    if (!isMany(asked)) return alertsOf(tenant, event, asked)
    const [, ...facts] = asked
    const many = await manyRestricted(event, facts, this.changedSince)
    return alertsOf(tenant, event, await this.put(tenant, event, many), many)
  }

  /** @param many the event about the many restrictions that this one is one of; absent: asks whether it is. */
  private async put(tenant: string, event: Event, many?: ManyRestrictedEvent): Promise<Reply> {
    const { keys } = this.store
    const asks = event.kind === 'restricted' ? 'ask' : ''
    return (await this.store.run(
      PUBLISH,
      [
        ...[keys.events, keys.eventIds, keys.eventGroups, keys.eventsDue, keys.eventsOpen],
        ...[keys.eventsRecent, keys.eventsMany, keys.eventCounts, keys.snoozed],
      ],
      [
        ...[event.id, event.kind, tenant, groupOf(tenant, event), textOf(tenant, event)],
        ...(opens(tenant, event) ?? ['', '']),
        ends(tenant, event) ?? '',
        event.kind === 'lifted' ? event.resolves : '',
        ...[many ? textOf('', many) : asks, many?.id ?? '', MANY_SPAN, MANY],
        ...[snoozableOf(event), event.kind === 'resolved' ? event.resolves : ''],
        ...groupsEndedBy(tenant, event),
      ],
    )) as Reply
  }

  /**
   * Adds one more entry for each alert that other events have joined, with their number, when its 15 minutes are over.
   *
   * @returns those entries.
   * @throws where Redis gave no answer; a second call is safe.
   */
  async closeGroups(): Promise<Alert[]> {
    const { keys } = this.store
    const entries: Alert[] = []
    for (;;) {
      const [closed, ...texts] = (await this.store.run(
        CLOSE_GROUPS,
        [keys.events, keys.eventGroups, keys.eventsDue],
        [BATCH],
      )) as [number, ...string[]]
      entries.push(...texts.map((text) => JSON.parse(text) as Alert))
      if (closed < BATCH) return entries
    }
  }
}

/** See `lua/publish.lua`. */
type Reply =
  | readonly ['many', ...Many]
  | readonly [string, number, string, Alert['contact'] | '', string]
  | null

function isMany(reply: Reply): reply is readonly ['many', ...Many] {
  return reply?.[0] === 'many'
}

function alertsOf(tenant: string, event: Event, reply: Reply, many?: ManyRestrictedEvent): Alert[] {
  if (reply === null || isMany(reply)) return []
  const [alert, count, began, contact, snoozed] = reply
  const more = {
    ...(contact && { contact }),
    ...(snoozed && { snoozed: JSON.parse(snoozed) as Snoozed }),
  }
  const own = { id: event.id, alert, count, ...more, ...describe(tenant, event) }
  if (!many || began === '') return [own]
  return [{ id: began, alert: began, count, ...describe('', many) }, own]
}

function snoozableOf({ kind }: Event): Snoozable | '' {
  return SNOOZABLE.find((each) => each === kind) ?? ''
}

/** An alert as JSON, after the fields that the script adds. */
function textOf(tenant: string, event: Event): string {
  return JSON.stringify(describe(tenant, event)).slice(1)
}

/**
 * Events of one group within 15 minutes are one alert. A more severe event is in another group, so it is reported at once.
 */
function groupOf(tenant: string, event: Event): string {
  return [tenant, event.kind, ...detailsOf(event)].join('\t')
}

function detailsOf(event: Event): (string | number)[] {
  switch (event.kind) {
    case 'allowance':
      return [event.percent, ...meterOf(event)]
    case 'restricted':
      return event.probation ? ['probation'] : []
    case 'unusual':
      return [event.rule]
    case 'unattributed':
      return event.connectors ? ['deferred'] : []
    case 'resolved':
      return [event.of, event.percent ?? '', event.rule ?? '', ...hostOf(event), ...meterOf(event)]
    case 'unreadable':
      return [event.meter ?? '', event.window]
    case 'host_missing':
      return [event.host]
    case 'went_back':
      return event.missing.count > 0 ? ['missing'] : []
    // Each is an alert of its own.
    case 'paused':
    case 'test':
      return [event.id]
    default:
      return []
  }
}

function hostOf({ host }: ResolvedEvent): string[] {
  return host === undefined ? [] : [host]
}

/** Each meter is an allowance of its own, and so another alert. */
function meterOf({ meter }: MeterFacts): string[] {
  return meter === undefined ? [] : [meter]
}

/** A tenant that trips right after a lift is a new alert at once. */
function groupsEndedBy(tenant: string, { kind }: Event): string[] {
  if (kind === 'restricted') return [`${tenant}\tlifted`]
  if (kind === 'lifted') return [`${tenant}\trestricted`, `${tenant}\trestricted\tprobation`]
  return []
}
