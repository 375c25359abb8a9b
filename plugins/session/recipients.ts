import type { RecipientCharge } from '../../src/allowance/charges'
import { grouped } from '../../src/base/lists'
import type { HarakaAddress } from '../../src/names/envelope'
import type { EnvelopeRecipient, HarakaTransaction } from '../kit/haraka'

/**
 * The recipients of a transaction, by the RCPT command that they came with. A plugin such as aliases may replace the
 * recipient of a command by others, or add some. All recipients of a command pass, or none.
 */
export class Recipients {
  /** Those that this plugin's rcpt_ok has let pass. */
  readonly passed: EnvelopeRecipient[]
  /** Of the command that passed last: its rank among the answers to RCPT, and its recipients. */
  private rank = -1
  private group: readonly EnvelopeRecipient[] = []
  /** Where they end in `rcpt_to`. */
  private end = 0
  /** This many of `rcpt_to` belong to earlier commands, by this many answers to RCPT. */
  private floor: number
  private seen = 0

  /** @param passed this many of `rcpt_to` have passed already. */
  constructor(
    private readonly haraka: HarakaTransaction,
    passed: number,
  ) {
    this.passed = haraka.rcpt_to.slice(0, passed)
    this.floor = passed
  }

  /** Those of the command that is being answered; never empty. */
  ofThisCommand(): readonly EnvelopeRecipient[] {
    this.dropRefused()
    const { rcpt_to: all } = this.haraka
    // Most messages have one recipient.
    if (all.length === 1) return [all[0]!]
    return all.slice(Math.min(this.boundary(), all.length - 1))
  }

  /** The recipients of this command pass. */
  pass(group: readonly EnvelopeRecipient[]): void {
    const { haraka } = this
    for (const each of group) this.passed.push(each)
    this.group = group
    this.rank = recipientResults(haraka).length
    this.end = haraka.rcpt_to.length
  }

  /** The recipients of this command are refused. Haraka itself removes only the last (connection.js, rcpt_ok_respond). */
  takeOut(group: readonly EnvelopeRecipient[]): void {
    const { rcpt_to: all } = this.haraka
    if (group.length > 1) all.splice(all.length - group.length, group.length - 1)
  }

  /**
   * Removes the recipients that Haraka leaves of a command that another plugin has refused after this one. Where no other
   * recipient remains, they stay: Haraka accepts the message for them.
   */
  dropRefused(): void {
    if (this.group.length < 2) return
    const { haraka, group } = this
    if (isAccepted(recipientResults(haraka)[this.rank])) return
    this.group = []
    const refused = new Set(group)
    const left = haraka.rcpt_to.filter((each) => !refused.has(each))
    if (left.length > 0) haraka.rcpt_to.splice(0, haraka.rcpt_to.length, ...left)
  }

  /** How many of `rcpt_to` came before this command: a recipient with a 250 is not removed again. */
  private boundary(): number {
    const { rcpt_to: all } = this.haraka
    const answers = recipientResults(this.haraka)
    for (; this.seen < answers.length; this.seen++) {
      const answer = answers[this.seen]
      if (!isAccepted(answer)) continue
      const isOurs = this.seen === this.rank
      if (isOurs) this.floor = this.end
      // Another plugin has answered rcpt_ok before this one, or has added recipients to those that passed.
      if (!isOurs || all.length > this.end + 1) {
        const from = isOurs ? this.end - 1 : this.floor
        this.floor = Math.max(this.floor, endOf(answer?.address, all, from))
      }
    }
    return this.floor
  }
}

/** Where the recipients of a command end. Haraka has answered it with the address of the last. */
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

/** What Haraka keeps of its answer to one RCPT command (connection.js, rcpt_incr). */
export interface RecipientResult {
  readonly action?: string
  readonly address?: string
}

/** How `rcpt_to` differs from the recipients that passed. */
export interface Comparison {
  /** They passed and are no longer there. */
  readonly missing: ReadonlySet<HarakaAddress>
  /** Other plugins have added them, and this plugin's rcpt_ok has not seen them. */
  readonly added: readonly EnvelopeRecipient[]
}

const SAME: Comparison = { missing: new Set(), added: [] }

/**
 * Whether the message was, or may have been, accepted for a recipient. Only what was certainly not accepted is refunded.
 *
 * - Before the end of DATA nothing is accepted. `data_post_start` shows the end: a client that disconnects at the dot does
 *   not stop its message (Haraka queues it, and `msg_status` stays undefined).
 * - `rejected` and `deferred` are final.
 * - The recipients in `rcpt_to` get the message. A later plugin may have refused a recipient or removed it; where others
 *   were added, they may replace it.
 */
export function mayBeAccepted(
  haraka: HarakaTransaction,
  { missing, added }: Comparison,
): (charge: RecipientCharge) => boolean {
  if (!isMessageAccepted(haraka)) return forNone
  if (missing.size === 0) return forAll
  const answers = recipientResults(haraka)
  return ({ rank, recipient }) =>
    !missing.has(recipient) || (added.length > 0 && isAccepted(answers[rank]))
}

const forNone = (): boolean => false
const forAll = (): boolean => true

/** Whether the message was, or may have been, accepted for any recipient: by the first two of these rules. */
export function isMessageAccepted({
  data_post_start: end,
  msg_status: status,
}: HarakaTransaction): boolean {
  return Boolean(end) && status !== 'rejected' && status !== 'deferred'
}

/** Compares the recipients that passed with those in `rcpt_to`; in most transactions they are the same. */
export function compareRecipients(
  { rcpt_to: present }: HarakaTransaction,
  passed: readonly EnvelopeRecipient[],
): Comparison {
  if (present.length === passed.length && present.every((each, at) => each === passed[at])) {
    return SAME
  }
  const missing = new Set(passed)
  const others = present.filter((each) => !missing.delete(each))
  if (missing.size === 0 || others.length === 0) return { missing, added: others }
  // The same address in another object is the same recipient.
  const byAddress = new Map(grouped([...missing], (each) => each.format()))
  const added = others.filter((each) => {
    const same = byAddress.get(each.format())?.pop()
    if (same) missing.delete(same)
    return same === undefined
  })
  return { missing, added }
}

/** How many RCPT commands of the transaction have been answered. */
export function answeredRecipients(haraka: HarakaTransaction): number {
  return recipientResults(haraka).length
}

/** An unknown answer may have been an acceptance. */
export function isAccepted(result: RecipientResult | undefined): boolean {
  return result?.action === undefined || result.action === 'accept'
}

/** The answers to the RCPT commands of the transaction, in their order. */
export function recipientResults(haraka: HarakaTransaction): readonly RecipientResult[] {
  const recipients = haraka.results.get('rcpt_to')?.['recipient']
  return Array.isArray(recipients) ? (recipients as RecipientResult[]) : []
}
