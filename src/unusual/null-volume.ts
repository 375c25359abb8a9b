import { watchedBy } from '../mail/classes'
import { isoTime } from '../base/time'
import type { UnusualSettings } from './settings'
import { OTHER } from '../reporting/rows'
import { clean } from '../base/safe-text'
import type { History } from './history'
import type { Rule } from './rule'
import { BASELINE } from './span'
import { comparison, worstJump } from './volume'
import { clock, recipients } from './words'

/** Much more mail of the null sender in an hour than in the busiest hour of the seven days before. */
export const nullVolume: Rule = {
  name: 'null_volume',
  needs: () => BASELINE,
  look(history, settings) {
    const worst = mostBounces(history, settings)
    if (!worst) return undefined
    const { hour, count, busiest } = worst
    const most = history.nullHeaderFrom.find(({ domain }) => domain !== '' && domain !== OTHER)
    const from = most ? `, with ${clean(most.domain)} most often in From` : ''
    return {
      words: `${recipients(count)} of mail with the null sender in the hour from ${clock(hour)}${from}; ${comparison(busiest)}`,
      facts: {
        ...{ recipients: count, hour: isoTime(hour), before: busiest },
        ...(most ? { domain: most.domain, connector: most.connector } : {}),
      },
    }
  },
}

/** The hour with much more than usual, for which the rule needs the domains in From. */
export function mostBounces(
  history: Pick<History, 'now' | 'knownSince' | 'hours'>,
  { least, nullVolume: times }: UnusualSettings,
): ReturnType<typeof worstJump> {
  return worstJump(history, watchedBy('null_volume'), least, times)
}
