/** The outcome of a message: the best of its recipients. */
export type MessageOutcome = 'accepted' | 'deferred' | 'refused' | 'refunded'

/** The outcomes of the recipients of one message, and its own. */
export interface Outcome {
  readonly accepted: number
  readonly deferred: number
  readonly refused: number
  readonly refunded: number
  readonly message: MessageOutcome
}
