import type { UnusualSettings } from './settings'
import { domains } from './domains'
import { foreign } from './foreign'
import { headerFrom } from './header-from'
import type { History } from './history'
import { newConnector } from './new-connector'
import { newSource } from './new-source'
import { nullVolume } from './null-volume'
import { quietDays } from './quiet-days'
import { registeredVolume } from './registered-volume'
import type { Rule, RuleName, Sighting } from './rule'
import { steady } from './steady'
import { volume } from './volume'

/** All rules, in the order in which they are shown. */
export const RULES: readonly Rule[] = [
  quietDays,
  domains,
  volume,
  registeredVolume,
  nullVolume,
  newConnector,
  newSource,
  steady,
  foreign,
  headerFrom,
]

/** A rule that holds now. */
export interface Finding extends Sighting {
  readonly rule: RuleName
}

/** The rules that hold now. */
export function findUnusual(history: History, settings: UnusualSettings): Finding[] {
  return RULES.flatMap(({ name, look }) => {
    const sighting = look(history, settings)
    return sighting ? [{ rule: name, ...sighting }] : []
  })
}
