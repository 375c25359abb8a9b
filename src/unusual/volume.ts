import { isoTime } from '../base/time'
import type { KnownClass } from '../mail/classes'
import type { HourReport } from '../reporting/reader'
import { OTHER } from '../reporting/rows'
import { sumBy } from '../reporting/sum'
import type { History } from './history'
import { Hourly, missedHours, UNREGISTERED } from './hourly'
import type { Rule } from './rule'
import { BASELINE, lastDay } from './span'
import { clock, recipients } from './words'

/** Much more unregistered mail in an hour than in the tenant's own busiest hour of the seven days before. */
export const volume: Rule = {
  name: 'volume',
  needs: () => BASELINE,
  look(history, settings) {
    const worst = worstJump(history, UNREGISTERED, settings.least, settings.volume)
    if (!worst) return undefined
    const { hour, count, busiest } = worst
    const [most] = sumBy(
      history.rows.filter(({ at, domain }) => at === hour && domain !== OTHER && domain !== ''),
      'domain',
    ).sort((a, b) => b.counts.accepted - a.counts.accepted)
    const top = most && most.counts.accepted * 2 >= count ? most : undefined
    return {
      words: `${recipients(count)} of unregistered mail in the hour from ${clock(hour)}${top ? `, ${top.counts.accepted} of them from ${top.key}` : ''}; ${comparison(busiest)}`,
      facts: {
        recipients: count,
        hour: isoTime(hour),
        before: busiest,
        ...(top ? { domain: top.key, of_domain: top.counts.accepted } : {}),
      },
    }
  },
}

/** An hour compared with the busiest hour of the seven days before it. */
interface Compared {
  readonly hour: number
  readonly count: number
  readonly busiest: number
}

/**
 * Of the hours in the last 24 with much more than usual, the one with the most recipients.
 *
 * @param times factor on the busiest hour; 0: turned off.
 */
export function worstJump(
  { now, knownSince, hours }: Pick<History, 'now' | 'knownSince' | 'hours'>,
  classes: readonly KnownClass[],
  least: number,
  times: number,
): Compared | undefined {
  if (times === 0) return undefined
  const sent = new Hourly(hours, classes)
  return lastDay(now)
    .filter((hour) => knownSince <= hour - BASELINE)
    .map((hour) => ({ hour, count: sent.in(hour), busiest: sent.busiestHour(hour) }))
    .filter((each) => isJump(each, hours, least, times))
    .sort((a, b) => b.count - a.count)[0]
}

/**
 * Whether an hour had much more than usual, allowing for mail held back in earlier hours.
 *
 * @param least fewer recipients are never much.
 * @param times factor on the busiest hour.
 */
export function isJump(
  { hour, count, busiest }: Compared,
  hours: readonly HourReport[],
  least: number,
  times: number,
): boolean {
  return count >= least && count >= busiest * (times + missedHours(hours, hour))
}

/** The busiest hour of the seven days before, in words. */
export function comparison(busiest: number): string {
  if (busiest === 0) return 'there were none in the seven days before'
  return `the busiest hour of the seven days before had ${busiest}`
}
