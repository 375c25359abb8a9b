import { formatWindow, type Limit, type Limits } from '../mail/limits'
import { DAY, startOf } from '../reporting/calendar'
import { Hourly, UNREGISTERED } from './hourly'
import type { Rule } from './rule'
import { counted } from './words'

const DAYS = 7
const OFTEN = 5

/** Much of the daily limit is used day after day: slow abuse, or a domain that should be registered. */
export const steady: Rule = {
  name: 'steady',
  needs: () => (DAYS + 1) * DAY,
  look({ now, hours, limits, knownSince }, settings) {
    const limit = dailyLimit(limits)
    if (settings.steady === 0 || !limit) return undefined
    const aDay = (limit.count * DAY) / limit.window
    const sent = new Hourly(hours, UNREGISTERED)
    const today = startOf(now, DAY)
    if (knownSince > today - DAYS * DAY) return undefined
    // Whole days only: today's count begins at 0, so the rule would end and begin again each night.
    const days = Array.from({ length: DAYS }, (_, at) => today - (DAYS - at) * DAY)
    const counts = days.map((day) => sent.sum(day, day + DAY))
    const full = counts.filter((count) => count * 100 > settings.steady * aDay).length
    if (full < OFTEN) return undefined
    const least = counts.toSorted((a, b) => b - a)[OFTEN - 1]!
    return {
      words: `on ${counted(full, 'day')} of the last seven more than ${settings.steady} % of the limit of ${limit.count}/${formatWindow(limit.window)}: at least ${least} recipients on each of five days`,
      facts: {
        days: full,
        recipients: least,
        limit: limit.count,
        window: formatWindow(limit.window),
      },
    }
  },
}

/** The limit of a day, else of the next longer window. */
function dailyLimit(limits: Limits): Limit | undefined {
  return limits
    .filter(({ window, count }) => window >= DAY && count > 0)
    .sort((a, b) => a.window - b.window)[0]
}
