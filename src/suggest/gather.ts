import { CLASSES } from '../mail/classes'
import { DAY } from '../reporting/calendar'
import type { DatedRow } from '../reporting/reader'
import { OTHER } from '../reporting/rows'
import { recipients } from '../reporting/sum'
import type { Candidate } from './candidate'

/**
 * The unregistered domains in daily report rows, the most recipients first. Rows without a name are left out, and so are
 * domains that another tenant owns and proven forwards.
 */
export function candidatesIn(rows: readonly DatedRow[]): Candidate[] {
  const found = new Map<
    string,
    { days: Map<number, number>; all: number; first: number; last: number }
  >()
  for (const { class: of, domain, at, counts } of rows) {
    if (!CLASSES[of].suggested) continue
    if (domain === '' || domain === OTHER) continue
    let sum = found.get(domain)
    if (!sum) found.set(domain, (sum = { days: new Map(), all: 0, first: Infinity, last: 0 }))
    if (counts.accepted > 0) sum.days.set(at, (sum.days.get(at) ?? 0) + counts.accepted)
    sum.all += recipients(counts)
    sum.first = Math.min(sum.first, counts.firstSeen || at)
    sum.last = Math.max(sum.last, counts.lastSeen || at)
  }
  const dayOf = (ms: number): number => Math.floor(ms / DAY)
  const firstSeenOn = new Map<number, number>()
  for (const { first } of found.values()) {
    const day = dayOf(first)
    firstSeenOn.set(day, (firstSeenOn.get(day) ?? 0) + 1)
  }
  return [...found]
    .map(([domain, { days, all, first, last }]) => ({
      domain,
      recipients: all,
      daily: [...days].sort(([a], [b]) => a - b).map(([, count]) => count),
      firstSeen: first,
      lastSeen: last,
      together: firstSeenOn.get(dayOf(first))! - 1,
      dns: undefined,
    }))
    .sort((a, b) => b.recipients - a.recipients || (a.domain < b.domain ? -1 : 1))
}
