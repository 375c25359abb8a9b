import { grouped } from '../../src/base/lists'
import type { HarakaAddress } from '../../src/names/envelope'
import type { RecipientCharge } from '../../src/allowance/charges'
import type { EnvelopeRecipient, HarakaTransaction } from '../kit/haraka'

/** What Haraka keeps of its answer to one RCPT command (connection.js, rcpt_incr). */
export interface RecipientResult {
  readonly action?: string
  readonly address?: string
}

/** What stands in `rcpt_to` beside those that we have let through. */
export interface Comparison {
  /** They are not there any more. */
  readonly missing: ReadonlySet<HarakaAddress>
  /** Other plugins have put them in, and our rcpt_ok has not seen them. */
  readonly added: readonly EnvelopeRecipient[]
}

const SAME: Comparison = { missing: new Set(), added: [] }

/**
 * Whether the message was, or may have been, taken for a recipient. Only what was certainly not taken is given back.
 *
 * - Before the end of DATA nothing is taken. `data_post_start` tells: a client that goes away at the dot does not stop
 *   its message (Haraka queues it, and `msg_status` stays undefined).
 * - `rejected` and `deferred` are final.
 * - Who stands in `rcpt_to` gets the message. A later plugin may have refused the recipient, or a plugin taken it out;
 *   where others were put in, they may stand for it.
 */
export function mayBeTaken(
  transaction: HarakaTransaction,
  { missing, added }: Comparison,
): (charge: RecipientCharge) => boolean {
  if (!isMessageTaken(transaction)) return () => false
  const answers = recipientResults(transaction)
  return ({ rank, recipient }) =>
    !missing.has(recipient) || (added.length > 0 && isAccepted(answers[rank]))
}

/** Whether the message was, or may have been, taken for anybody: by the first two of these. */
export function isMessageTaken({
  data_post_start: end,
  msg_status: status,
}: HarakaTransaction): boolean {
  return Boolean(end) && status !== 'rejected' && status !== 'deferred'
}

/** Compares those that we have let through with those that are there: nearly always the same. */
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
export function answeredRecipients(transaction: HarakaTransaction): number {
  return recipientResults(transaction).length
}

/** Where nothing is known of the answer, it may have been that. */
export function isAccepted(result: RecipientResult | undefined): boolean {
  return result?.action === undefined || result.action === 'accept'
}

/** The answers to the RCPT commands of the transaction, in their order. */
export function recipientResults(transaction: HarakaTransaction): readonly RecipientResult[] {
  const recipients = transaction.results.get('rcpt_to')?.['recipient']
  return Array.isArray(recipients) ? (recipients as RecipientResult[]) : []
}
