import { readScript } from '../store/script'
import type { Store } from '../store/store'
import type { Alert, Event, MeterFacts } from '../records/event'
import { ends, opens } from './open'
import { describe } from './words'

const PUBLISH = readScript(__dirname, 'publish')
const CLOSE_GROUPS = readScript(__dirname, 'close_groups')

/** Alerts that are closed in one call. */
const BATCH = 100

/** The stream of all events. */
export class EventStream {
  constructor(private readonly store: Store) {}

  /**
   * Puts an event there, once, however often and by however many processes it is called.
   *
   * @returns the alert; `undefined`: it was there already.
   * @throws where Redis gave no answer; calling it again is safe.
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
   * Gives alerts that others have joined one entry more with their number, when their 15 minutes are over.
   *
   * @returns those entries.
   * @throws where Redis gave no answer; calling it again is safe.
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
 * Events of one group within 15 minutes are one alert. What is graver than before is never in the same group: it would
 * be told a quarter of an hour late.
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
    // Whoever tries it a second time wants to see it again.
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

/** What a person did between them is news: a tenant that trips right after a lift is told at once. */
function groupsEndedBy(tenant: string, { kind }: Event): string[] {
  if (kind === 'restricted') return [`${tenant}\tlifted`]
  if (kind === 'lifted') return [`${tenant}\trestricted`, `${tenant}\trestricted\tprobation`]
  return []
}
