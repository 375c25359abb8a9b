import { namedMeter, USUAL_METER } from '../mail/meters'
import type { Event, SourcesFacts } from '../records/event'
import { DAY } from '../reporting/calendar'
import { ReportReader } from '../reporting/reader'
import { readShares, sharesText } from '../reporting/shares'
import type { Store } from '../store/store'

/** What {@link sourcesOf} needs. */
export interface SourcesContext {
  readonly store: Store
  /** Flushes the counts of this process for a tenant. */
  readonly flush: (tenant: string) => Promise<void>
}

/**
 * Where the mail of the 24 hours before an event came from, for its alert: what is counted by the meter that the event is
 * about. The last message alone may be anybody's. Empty: the event is about something else, or there was no mail.
 *
 * @throws where Redis gave no answer.
 */
export async function sourcesOf(
  { store, flush }: SourcesContext,
  tenant: string,
  event: Event,
): Promise<{ readonly sources?: SourcesFacts }> {
  if (event.kind !== 'restricted' && event.kind !== 'allowance') return {}
  await flush(tenant)
  const { meter } = event.kind === 'restricted' ? (event.trigger ?? {}) : event
  const span = [event.at - DAY, event.at + 1] as const
  const reader = new ReportReader(store)
  const shares = await readShares(reader, tenant, ...span, namedMeter(meter) ?? USUAL_METER)
  if (shares.recipients === 0) return {}
  return {
    sources: {
      connectors: sharesText(shares, 'connector'),
      domains: sharesText(shares, 'domain'),
      addresses: sharesText(shares, 'ip'),
    },
  }
}
