import type { UnusualSettings } from './settings'
import type { History } from './history'

/** The same as the key of [unusual] that turns the rule off. */
export type RuleName =
  | 'quiet_days'
  | 'domains'
  | 'volume'
  | 'registered_volume'
  | 'null_volume'
  | 'new_connector'
  | 'new_source'
  | 'steady'
  | 'foreign'
  | 'header_from'

/** What a rule found. */
export interface Sighting {
  /** One sentence for people, with the numbers. */
  readonly words: string
  /** The same for programs. */
  readonly facts: Readonly<Record<string, string | number>>
}

/** A rule of unusual mail. It only raises alerts; no mail is refused. */
export interface Rule {
  readonly name: RuleName
  /** How far back the history must be complete for the rule, in ms. */
  readonly needs: (settings: UnusualSettings) => number
  /** Checks the last 24 hours; `undefined`: nothing found, turned off, or the history is too short. */
  readonly look: (history: History, settings: UnusualSettings) => Sighting | undefined
}
