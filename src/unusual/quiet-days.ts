import { isoTime } from '../base/time'
import { DAY } from '../reporting/calendar'
import { Hourly, UNREGISTERED } from './hourly'
import type { Rule } from './rule'
import { lastDay } from './span'
import { clock, counted, date, recipients } from './words'

/** The first unregistered mail after a long time without any: perhaps from an abandoned server. */
export const quietDays: Rule = {
  name: 'quiet_days',
  needs: (settings) => settings.quietDays * DAY,
  look({ now, knownSince, hours }, settings) {
    const quiet = settings.quietDays * DAY
    if (quiet === 0) return undefined
    const sent = new Hourly(hours, UNREGISTERED)
    const first = lastDay(now).find((hour) => sent.in(hour) > 0)
    if (first === undefined || knownSince > first - quiet) return undefined
    if (sent.sum(first - quiet, first) > 0) return undefined
    const count = sent.sum(first, now)
    if (count < settings.quietRecipients) return undefined
    return {
      words: `${recipients(count)} of unregistered mail since ${clock(first)} on ${date(first)}, the first after ${counted(settings.quietDays, 'day')} without any`,
      facts: { recipients: count, since: isoTime(first), days: settings.quietDays },
    }
  },
}
