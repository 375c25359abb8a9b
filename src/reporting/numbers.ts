import type { Outcome } from './outcome'

/** Counts of a batch: the first eight numbers of a report field. */
export class Numbers {
  private accepted = 0
  private deferred = 0
  private refused = 0
  private refunded = 0
  private messagesAccepted = 0
  private messagesDeferred = 0
  private messagesRefused = 0
  private messagesRefunded = 0

  /** Counts one message. */
  add(outcome: Outcome): void {
    this.accepted += outcome.accepted
    this.deferred += outcome.deferred
    this.refused += outcome.refused
    this.refunded += outcome.refunded
    if (outcome.message === 'accepted') this.messagesAccepted++
    else if (outcome.message === 'deferred') this.messagesDeferred++
    else if (outcome.message === 'refused') this.messagesRefused++
    else this.messagesRefunded++
  }

  /** Recipients, then messages: accepted, deferred, refused and refunded. */
  get values(): readonly number[] {
    return [
      ...[this.accepted, this.deferred, this.refused, this.refunded],
      ...[
        this.messagesAccepted,
        this.messagesDeferred,
        this.messagesRefused,
        this.messagesRefunded,
      ],
    ]
  }

  /** The argument of the scripts: numbers joined by spaces. */
  toString(): string {
    return this.values.join(' ')
  }
}
