import { watchedBy } from '../mail/classes'
import { isoTime } from '../base/time'
import { HOUR, startOf } from '../reporting/calendar'
import { Hourly } from './hourly'
import type { Rule } from './rule'
import { BASELINE, lastDay } from './span'
import { comparison, isJump } from './volume'
import { clock, recipients } from './words'

/** How soon after a restriction an intruder switches to a registered domain. */
const SOON = 2 * HOUR

/** Much more registered mail than usual, soon after the tenant's unregistered mail was stopped. */
export const registeredVolume: Rule = {
  name: 'registered_volume',
  needs: () => BASELINE,
  look({ now, knownSince, hours, restrictedAt }, settings) {
    if (settings.registeredVolume === 0) return undefined
    const sent = new Hourly(hours, watchedBy('registered_volume'))
    const jumps = restrictedAt.flatMap((since) => {
      const begun = startOf(since, HOUR)
      if (knownSince > begun - BASELINE) return []
      const busiest = sent.busiestHour(begun)
      return lastDay(now)
        .filter((hour) => hour >= begun && hour <= since + SOON)
        .map((hour) => ({ since, hour, busiest, count: sent.in(hour) }))
        .filter((each) => isJump(each, hours, settings.least, settings.registeredVolume))
    })
    const worst = jumps.sort((a, b) => b.count - a.count)[0]
    if (!worst) return undefined
    const { since, hour, busiest, count } = worst
    // Counts are by the hour: some of this hour may have come before the restriction.
    const when = hour >= since ? 'after the restriction' : 'with the restriction in it,'
    return {
      words: `${recipients(count)} of registered mail in the hour from ${clock(hour)}, ${when} at ${clock(since)}; ${comparison(busiest)}`,
      facts: {
        recipients: count,
        hour: isoTime(hour),
        before: busiest,
        restricted_at: isoTime(since),
      },
    }
  },
}
