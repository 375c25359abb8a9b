import { readScript } from '../store/script'
import type { Store } from '../store/store'
import type { Alert, Event, MeterFacts } from '../records/event'
import { ends, opens } from './open'
import { describe } from './words'

const PUBLISH = readScript(__dirname, 'publish')
const CLOSE_GROUPS = readScript(__dirname, 'close_groups')

/** Alerts to close in one call. */
const BATCH = 100

/** The stream of all events. */
export class EventStream {
  constructor(private readonly store: Store) {}

  /**
   * Puts an event into the stream, once, however often and by however many processes it is called.
   *
   * @returns the alert; `undefined`: it was there before.
   * @throws where Redis gave no answer; a second call is safe.
   */
  async publish(tenant: string, event: Event): Promise<Alert | undefined> {
    const { keys } = this.store
    const described = describe(tenant, event)
    const reply = (await this.store.run(
      PUBLISH,
      [keys.events, keys.eventIds, keys.eventGroups, keys.eventsDue, keys.eventsOpen],
      [
        ...[event.id, event.kind, tenant, groupOf(tenant, event)],
        JSON.stringify(described).slice(1),
        ...(opens(tenant, event) ?? ['', '']),
        ends(tenant, event) ?? '',
        ...groupsEndedBy(tenant, event),
      ],
    )) as [string, number] | null
    if (reply === null) return undefined
    const [alert, count] = reply
    return { id: event.id, alert, count, ...described }
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
      return [event.of, event.percent ?? '', event.rule ?? '', ...meterOf(event)]
    case 'unreadable':
      return [event.meter ?? '', event.window]
    case 'went_back':
      return event.missing.count > 0 ? ['missing'] : []
    // Each test is an alert of its own.
    case 'test':
      return [event.id]
    default:
      return []
  }
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
