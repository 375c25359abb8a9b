/** What became of a message: the best that any of its recipients got. */
export type MessageOutcome = 'accepted' | 'deferred' | 'refused' | 'refunded'

/** What became of the recipients of one message, and of itself. */
export interface Outcome {
  readonly accepted: number
  readonly deferred: number
  readonly refused: number
  readonly refunded: number
  readonly message: MessageOutcome
}
