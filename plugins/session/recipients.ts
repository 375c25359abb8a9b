import type { EnvelopeRecipient, HarakaTransaction } from '../kit/haraka'
import { isAccepted, recipientResults } from './settlement'

/**
 * The recipients of a transaction, by the RCPT command that they came with: a plugin such as aliases may put others in
 * the place of one, or beside it. Those of a command are let through together, or none of them.
 */
export class Recipients {
  /** Those that our rcpt_ok has let through. */
  readonly passed: EnvelopeRecipient[]
  /** Of the command that we have let through last: its place among the answers to RCPT, and its recipients. */
  private rank = -1
  private group: readonly EnvelopeRecipient[] = []
  /** Where they end in `rcpt_to`. */
  private end = 0
  /** So many of `rcpt_to` belong to commands before this one, by so many answers to RCPT. */
  private floor: number
  private seen = 0

  /** @param known so many of `rcpt_to` have been let through already. */
  constructor(
    private readonly transaction: HarakaTransaction,
    known: number,
  ) {
    this.passed = transaction.rcpt_to.slice(0, known)
    this.floor = known
  }

  /** Those of the command that is being answered; never empty. */
  ofThisCommand(): readonly EnvelopeRecipient[] {
    this.dropRefused()
    const { rcpt_to: all } = this.transaction
    // Nearly always there is no other.
    if (all.length === 1) return [all[0]!]
    return all.slice(Math.min(this.boundary(), all.length - 1))
  }

  /** The recipients of this command are let through. */
  pass(group: readonly EnvelopeRecipient[]): void {
    const { transaction } = this
    for (const each of group) this.passed.push(each)
    this.group = group
    this.rank = recipientResults(transaction).length
    this.end = transaction.rcpt_to.length
  }

  /** The recipients of this command are refused: Haraka itself takes out only the last (connection.js, rcpt_ok_respond). */
  takeOut(group: readonly EnvelopeRecipient[]): void {
    const { rcpt_to: all } = this.transaction
    if (group.length > 1) all.splice(all.length - group.length, group.length - 1)
  }

  /**
   * Takes out what Haraka leaves of a command that another plugin has refused after us. Where nobody else is left, they
   * stay: Haraka takes the message for them.
   */
  dropRefused(): void {
    if (this.group.length < 2) return
    const { transaction, group } = this
    if (isAccepted(recipientResults(transaction)[this.rank])) return
    this.group = []
    const refused = new Set(group)
    const left = transaction.rcpt_to.filter((each) => !refused.has(each))
    if (left.length > 0) transaction.rcpt_to.splice(0, transaction.rcpt_to.length, ...left)
  }

  /** How many of `rcpt_to` stood there when the command came: what the client was told 250 for is not taken out again. */
  private boundary(): number {
    const { rcpt_to: all } = this.transaction
    const answers = recipientResults(this.transaction)
    for (; this.seen < answers.length; this.seen++) {
      const answer = answers[this.seen]
      if (!isAccepted(answer)) continue
      const isOurs = this.seen === this.rank
      if (isOurs) this.floor = this.end
      // Another plugin has answered rcpt_ok before us, or has added to what we let through.
      if (!isOurs || all.length > this.end + 1) {
        const from = isOurs ? this.end - 1 : this.floor
        this.floor = Math.max(this.floor, endOf(answer?.address, all, from))
      }
    }
    return this.floor
  }
}

/** Where the recipients of a command end that Haraka has answered by the address of the last. */
function endOf(
  address: string | undefined,
  all: readonly EnvelopeRecipient[],
  from: number,
): number {
  for (let at = from; at < all.length; at++) {
    if (all[at]!.format() === `<${address}>`) return at + 1
  }
  return from
}
