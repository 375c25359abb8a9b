import { isoTime } from '../time'
import type { Rule } from './rule'
import { BASELINE } from './span'
import { comparison, worstJump } from './volume'
import { clock, recipients } from './words'

/** Much more mail of the null sender in an hour than in the busiest one of the seven days before: it restricts nobody. */
export const nullVolume: Rule = {
  name: 'null_volume',
  needs: () => BASELINE,
  look(history, settings) {
    const worst = worstJump(history, ['null'], settings.least, settings.nullVolume)
    if (!worst) return undefined
    const { hour, count, busiest } = worst
    return {
      words: `${recipients(count)} of mail with the null sender in the hour from ${clock(hour)}; ${comparison(busiest)}`,
      facts: { recipients: count, hour: isoTime(hour), before: busiest },
    }
  },
}
