import { DAY, HOUR } from '../reporting/calendar'
import { lookedIn } from '../reporting/header-from'
import type { Looked } from '../reporting/reader'
import { OTHER } from '../reporting/rows'
import type { UnusualSettings } from './settings'
import { clean } from '../base/safe-text'
import type { History } from './history'
import type { Rule } from './rule'
import { BASELINE, lastDay } from './span'

/** Least mismatched messages: one in fifty is checked, so some 250 in all. */
const LEAST = 5
/** List servers, and servers that rewrite senders, mismatch every day, so only twice as many and twice the share is unusual. */
const TIMES = 2

/** Registered mail whose header From has no accepted domain: an intruder may use a registered envelope sender. */
export const headerFrom: Rule = {
  name: 'header_from',
  needs: () => BASELINE,
  look(history, settings) {
    const much = isMuchMismatched(history, settings)
    if (!much) return undefined
    const { now: found, before } = much
    const most = history.headerFrom.find(({ domain }) => domain !== '' && domain !== OTHER)
    return {
      words: `${shareOf(found)} registered messages that were looked at in 24 hours name no accepted domain in their From header${most ? ` (most often ${clean(most.domain)})` : ''}, against ${shareOf(before)} in the seven days before`,
      facts: {
        ...{ mismatched: found.mismatched, looked: found.looked },
        ...{ mismatched_before: before.mismatched, looked_before: before.looked },
        ...(most ? { domain: most.domain, connector: most.connector } : {}),
      },
    }
  },
}

/** Whether many more than usual mismatch, so that the rule needs their domains. */
export function isMuchMismatched(
  { now, hours, knownSince }: Pick<History, 'now' | 'hours' | 'knownSince'>,
  { headerFrom: percent }: UnusualSettings,
): { now: Looked; before: Looked } | undefined {
  const from = lastDay(now)[0]!
  if (percent === 0 || knownSince > from - BASELINE) return undefined
  const between = (start: number, end: number): Looked =>
    lookedIn(hours.filter(({ at }) => at >= start && at < end))
  const found = between(from, now)
  if (found.mismatched < LEAST || found.mismatched * 100 < percent * found.looked) return undefined
  // Without checked messages a week ago, nothing is known about the usual share.
  if (between(0, from - BASELINE + DAY).looked === 0) return undefined
  const before = between(from - BASELINE, from)
  const isUsualShare = found.mismatched * before.looked < TIMES * before.mismatched * found.looked
  if (isUsualShare) return undefined
  for (let start = from - BASELINE; start + DAY <= from; start += HOUR) {
    if (found.mismatched < TIMES * between(start, start + DAY).mismatched) return undefined
  }
  return { now: found, before }
}

function shareOf({ mismatched, looked }: Looked): string {
  return `${mismatched} of ${looked}`
}
