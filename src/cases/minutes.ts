import { grouped } from '../base/lists'
import { MINUTES_TTL } from '../reporting/bounds'
import { HOUR, MINUTE, startOf } from '../reporting/calendar'
import type { MinuteRow } from '../reporting/minutes'
import { ReportReader } from '../reporting/reader'
import { OTHER } from '../reporting/rows'
import { attempts, total } from '../reporting/sum'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import type { Evidence } from './evidence'

/** Evidence keeps the minutes from two hours before a restriction … */
const BEFORE = 2 * HOUR
/** … to one hour after it. */
const AFTER = HOUR
/** How long after its end all processes have flushed a minute, in ms. */
const FLUSHED = MINUTE
/** How long after a restriction the minutes of its evidence are complete, in ms. */
export const FOLLOWED = AFTER + FLUSHED
/** Connectors of each class with minutes of their own. */
const MOST_CONNECTORS = 3

type MinutesOf = Pick<Evidence, 'minutes' | 'minutesComplete'>

/**
 * The minutes around a restriction, as far as they are there now.
 *
 * @param at when the tenant was restricted; ms, server time.   @param now likewise.
 * @param before the minutes before it, if they have been read already.
 * @throws what ioredis throws.
 */
export async function readMinutes(
  reader: ReportReader,
  tenant: string,
  at: number,
  now: number,
  before: readonly MinuteRow[] = [],
): Promise<MinutesOf> {
  const restricted = startOf(at, MINUTE)
  const known = before.filter((each) => each.at < restricted)
  const from = known.length === 0 ? restricted - BEFORE : restricted
  const read = await reader.minutes(tenant, from, restricted + AFTER)
  return { minutes: [...known, ...bounded(read)], minutesComplete: now >= at + FOLLOWED }
}

/**
 * Evidence with the minutes that were recorded since it was frozen. Until the hour after the restriction is over they change.
 *
 * @throws what ioredis throws.
 */
export async function withLaterMinutes(store: Store, evidence: Evidence): Promise<Evidence> {
  const { tenant, event, minutes, minutesComplete } = evidence
  const now = await serverTime(store.client)
  if (minutesComplete || now > event.at + MINUTES_TTL) return evidence
  const reader = new ReportReader(store)
  return { ...evidence, ...(await readMinutes(reader, tenant, event.at, now, minutes)) }
}

/** The first connectors of each class; the others together. Oldest first. */
function bounded(rows: readonly MinuteRow[]): MinuteRow[] {
  return grouped(rows, (row) => row.class)
    .flatMap(([of, some]) => {
      const first = grouped(some, ({ connector }) => connector)
        .map(([connector, theirs]) => ({ connector, recipients: attempts(total(theirs)) }))
        .sort((a, b) => b.recipients - a.recipients)
        .slice(0, MOST_CONNECTORS)
      const names = new Set(first.map(({ connector }) => connector))
      const named = some.map((row) =>
        names.has(row.connector) ? row : { ...row, connector: OTHER },
      )
      return grouped(named, ({ at, connector }) => `${at} ${connector}`).map(([, same]) => ({
        ...{ at: same[0]!.at, class: of, connector: same[0]!.connector },
        counts: total(same),
      }))
    })
    .sort((a, b) => a.at - b.at)
}
