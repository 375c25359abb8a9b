import { watchedBy } from '../mail/classes'
import { DAY } from '../reporting/calendar'
import { OTHER } from '../reporting/rows'
import { attempts } from '../reporting/sum'
import type { UnusualSettings } from './settings'
import { clean } from '../base/safe-text'
import type { History } from './history'
import { Hourly } from './hourly'
import type { Rule } from './rule'
import { lastDay } from './span'
import { recipients } from './words'

/**
 * Mail from domains of other tenants: a wrong connector, or a takeover. The rule needs no past: a wrong connector shows on
 * its first day.
 */
export const foreign: Rule = {
  name: 'foreign',
  needs: () => 0,
  look(history, settings) {
    const much = isMuchForeign(history, settings)
    if (!much) return undefined
    const { total, usual } = much
    const most = history.foreign.find(({ domain }) => domain !== '' && domain !== OTHER)
    const from = most ? `, the most from ${clean(most.domain)}${ownerOf(most.owner)}` : ''
    const before = usual === 0 ? 'none' : `at most ${usual} a day`
    return {
      words: `${recipients(total)} of mail from domains of other tenants in 24 hours${from}; ${before} in the seven days before. A wrong connector, or a takeover`,
      facts: {
        ...{ recipients: total, before: usual },
        ...(most ? { domain: most.domain, owner: most.owner } : {}),
      },
    }
  },
}

/**
 * Whether there is much more foreign mail than usual, so that the rule needs its domains. Refused mail counts too: with
 * `[foreign] action=refuse` all of it is refused.
 */
export function isMuchForeign(
  { now, hours }: Pick<History, 'now' | 'hours'>,
  { foreign: least }: UnusualSettings,
): { total: number; usual: number } | undefined {
  if (least === 0) return undefined
  const tried = new Hourly(hours, watchedBy('foreign'), attempts)
  const from = lastDay(now)[0]!
  const total = tried.sum(from, from + DAY)
  // Tenants of one relay forward mail of each other every day.
  const usual = tried.busiestDay(from)
  return total >= usual + least ? { total, usual } : undefined
}

function ownerOf(owner: string): string {
  return owner === '' ? '' : `, which belongs to ${clean(owner)}`
}
