import type { RecipientCharge } from '../src/relay/charges'
import type { Transaction } from './haraka'

interface RecipientResult {
  readonly action?: string
  readonly address?: string
}

/**
 * Whether the message was, or may have been, taken for a recipient. Only what was certainly not taken is given back.
 *
 * - Before the end of DATA nothing is taken. `data_post_start` tells: a client that goes away at the dot does not stop
 *   its message (Haraka queues it, and `msg_status` stays undefined).
 * - `rejected` and `deferred` are final.
 * - A later plugin may have refused the recipient: Haraka keeps the answer to each RCPT in order (connection.js,
 *   rcpt_incr).
 * - A plugin may have taken the recipient out of `rcpt_to`. Where it put other addresses in, they may stand for it.
 */
export function mayBeTaken(transaction: Transaction): (charge: RecipientCharge) => boolean {
  if (!isMessageTaken(transaction)) return () => false
  const results = recipientResults(transaction)
  const wasTakenOut = takenOut(transaction, results)
  return ({ rank }) => {
    const { action, address } = results[rank] ?? {}
    if (action !== undefined && action !== 'accept') return false
    return address === undefined || !wasTakenOut(address)
  }
}

/** Whether the message was, or may have been, taken for anybody: by the first two of these. */
export function isMessageTaken({ data_post_start: end, msg_status: status }: Transaction): boolean {
  return Boolean(end) && status !== 'rejected' && status !== 'deferred'
}

/** Looks at all recipients once: a message may have thousands. */
function takenOut(
  transaction: Transaction,
  results: readonly RecipientResult[],
): (address: string) => boolean {
  const accepted = results.filter(({ action }) => action === undefined || action === 'accept')
  // Whoever is missing has somebody in his place, be it one who was there before.
  if (transaction.rcpt_to.length >= accepted.length) return () => false
  const left = new Set(transaction.rcpt_to.map((recipient) => recipient.format().slice(1, -1)))
  const known = new Set(results.map(({ address }) => address))
  const othersPutIn = [...left].some((recipient) => !known.has(recipient))
  return (address) => !othersPutIn && !left.has(address)
}

/** How many RCPT commands of the transaction have been answered. */
export function answeredRecipients(transaction: Transaction): number {
  return recipientResults(transaction).length
}

/** The recipients that are accepted: how many RCPT commands were answered before, and the address as Haraka has it. */
export function acceptedRecipients(
  transaction: Transaction,
): { readonly rank: number; readonly address: string }[] {
  return recipientResults(transaction).flatMap(({ action, address = '' }, rank) =>
    action === undefined || action === 'accept' ? [{ rank, address }] : [],
  )
}

function recipientResults(transaction: Transaction): readonly RecipientResult[] {
  const recipients = transaction.results.get('rcpt_to')?.['recipient']
  return Array.isArray(recipients) ? (recipients as RecipientResult[]) : []
}
