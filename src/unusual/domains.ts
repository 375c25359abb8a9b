import { isoTime } from '../base/time'
import type { DatedRow } from '../reporting/reader'
import { OTHER } from '../reporting/rows'
import type { UnusualSettings } from './settings'
import type { History } from './history'
import { missedHours } from './hourly'
import type { Rule } from './rule'
import { BASELINE, lastDay } from './span'
import { clock } from './words'

/** A site that forwards mail has many domains every day, so only twice its maximum is unusual. */
const TIMES = 2

/** Many distinct unregistered domains in an hour. */
export const domains: Rule = {
  name: 'domains',
  needs: () => BASELINE,
  look(history, settings) {
    if (settings.domains === 0) return undefined
    const before = domainsByHour(history.rowsBefore, history.otherDomains)
    const now = domainsByHour(history.rows, history.otherDomains)
    const counts = new Map([...before, ...now])
    const unusual = lastDay(history.now)
      .filter((hour) => history.knownSince <= hour - BASELINE)
      .map((hour) => ({ hour, count: counts.get(hour) ?? 0, most: mostBefore(counts, hour) }))
      .filter(({ count }) => count >= settings.domains)
      .filter(({ hour, count, most }) => count > most * (TIMES + missedHours(history.hours, hour)))
    const worst = unusual.sort((a, b) => b.count - a.count)[0]
    if (!worst) return undefined
    const { hour, count, most } = worst
    return {
      words: `${count} unregistered domains in the hour from ${clock(hour)}; ${most === 0 ? 'there were none in the seven days before' : `no hour of the seven days before had more than ${most}`}`,
      facts: { domains: count, hour: isoTime(hour), before: most },
    }
  },
}

/** Whether an hour of the last 24 has enough domains for the rule to need the seven days before. */
export function hasManyDomains(
  { rows, otherDomains }: Pick<History, 'rows' | 'otherDomains'>,
  settings: UnusualSettings,
): boolean {
  if (settings.domains === 0) return false
  return [...domainsByHour(rows, otherDomains).values()].some((count) => count >= settings.domains)
}

/** Start of an hour → distinct domains of accepted mail. Loops, for speed: an attacked tenant has 60,000 rows a week. */
function domainsByHour(
  rows: readonly DatedRow[],
  others: ReadonlyMap<number, number>,
): Map<number, number> {
  const named = new Map<number, Set<string>>()
  const otherMessages = new Map<number, number>()
  for (const { at, domain, counts } of rows) {
    if (counts.accepted === 0) continue
    let names = named.get(at)
    if (!names) named.set(at, (names = new Set()))
    if (domain !== OTHER) names.add(domain)
    else otherMessages.set(at, (otherMessages.get(at) ?? 0) + counts.messages.accepted)
  }
  return new Map(
    [...named].map(([hour, { size }]) => {
      // The others may include domains whose mail was all refused.
      const most = otherMessages.get(hour) ?? 0
      return [hour, size + (most === 0 ? 0 : Math.min(others.get(hour) ?? 1, most))]
    }),
  )
}

function mostBefore(counts: ReadonlyMap<number, number>, hour: number): number {
  const before = [...counts].filter(([at]) => at < hour && at >= hour - BASELINE)
  return Math.max(0, ...before.map(([, count]) => count))
}
