import { isoTime } from '../time'
import { sumBy } from '../reporting/sum'
import type { DatedRow } from '../reporting/reader'
import { OTHER } from '../reporting/rows'
import type { UnusualSettings } from '../config'
import type { History } from './history'
import { missedHours } from './hourly'
import type { Rule } from './rule'
import { BASELINE, lastDay } from './span'
import { clock } from './words'

/** A site that forwards mail has many domains every day: only twice as many as ever are unusual. */
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

/** Whether an hour of the last 24 has so many that the rule must know the seven days before. */
export function hasManyDomains(
  { rows, otherDomains }: Pick<History, 'rows' | 'otherDomains'>,
  settings: UnusualSettings,
): boolean {
  if (settings.domains === 0) return false
  return [...domainsByHour(rows, otherDomains).values()].some((count) => count >= settings.domains)
}

/** Start of an hour → distinct domains of which mail was accepted. */
function domainsByHour(
  rows: readonly DatedRow[],
  others: ReadonlyMap<number, number>,
): Map<number, number> {
  const byHour = new Map<number, DatedRow[]>()
  for (const row of rows) {
    if (row.counts.accepted === 0) continue
    const there = byHour.get(row.at)
    if (there) there.push(row)
    else byHour.set(row.at, [row])
  }
  return new Map(
    [...byHour].map(([hour, ofHour]) => {
      const accepted = sumBy(ofHour, 'domain')
      const named = accepted.filter(({ key }) => key !== OTHER).length
      const other = accepted.find(({ key }) => key === OTHER)
      // Domains of which all was refused may be among the others, too.
      const behind = other ? Math.min(others.get(hour) ?? 1, other.counts.messages.accepted) : 0
      return [hour, named + behind]
    }),
  )
}

function mostBefore(counts: ReadonlyMap<number, number>, hour: number): number {
  const before = [...counts].filter(([at]) => at < hour && at >= hour - BASELINE)
  return Math.max(0, ...before.map(([, count]) => count))
}
