import type { UnusualSettings } from './settings'
import type { History } from './history'

/** As the key of [unusual] that turns the rule off. */
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

/** What a rule saw. */
export interface Sighting {
  /** For people: one sentence, with the numbers. */
  readonly words: string
  /** The same for programs. */
  readonly facts: Readonly<Record<string, string | number>>
}

/** One of the rules of unusual mail. It only tells: nothing is refused for it. */
export interface Rule {
  readonly name: RuleName
  /** How far back, in ms, all that the tenant sent must be known before the rule says anything. */
  readonly needs: (settings: UnusualSettings) => number
  /** What it sees in the last 24 hours; `undefined`: nothing, or it is turned off, or too little is known yet. */
  readonly look: (history: History, settings: UnusualSettings) => Sighting | undefined
}
