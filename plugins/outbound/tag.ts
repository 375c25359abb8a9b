import type { Config } from '../../src/process/config'
import { isTenantId } from '../../src/mail/identities'
import { valuesAt } from '../../src/message/fields'
import { queuedNote } from '../../src/outbound/note'
import type { Connection, MessageTransaction } from '../kit/haraka'

/**
 * Tells the next hop the class of a message, in a header field such as `unregistered; tenant=contoso; connector=mx`: a
 * token and parameters as in RFC 2045 §5.1. A field of that name from elsewhere is forged: it is removed from every
 * message of every session.
 */
export class Tag {
  constructor(private readonly config: () => Config) {}

  /**
   * Runs as the first hook of queue and queue_outbound: the class is final and signatures have been checked by then, and no
   * plugin that ends data_post with OK can keep a forged field in the message.
   */
  queue(connection: Connection): undefined {
    const { header: name } = this.config().tag
    const transaction = connection.transaction as MessageTransaction | null
    if (name === '' || !transaction) return
    removeForged(transaction, name)
    const value = tagOf(transaction.notes)
    if (value !== undefined) transaction.add_leading_header(name, value)
    // Without any header field Haraka would send the received ones (haraka-message-stream, pipe).
    else if (transaction.header.header_list.length === 0) {
      transaction.add_header('Date', new Date().toUTCString().replace('GMT', '+0000'))
    }
  }
}

/** `undefined`: the message belongs to no tenant. */
export function tagOf(notes: Readonly<Record<string, unknown>>): string | undefined {
  const note = queuedNote(notes)
  if (!note) return undefined
  const { tenant, connector } = note
  const parts: string[] = [note.class]
  // Tenant ids are tokens, but a note of another plugin may name anything.
  if (isTenantId(tenant)) {
    parts.push(`tenant=${tenant}`)
    const name = connector?.slice(tenant.length + 1) ?? ''
    if (isTenantId(name)) parts.push(`connector=${name}`)
  }
  return parts.join('; ')
}

/** Removes every instance, also those that only some servers recognise; Haraka's `remove_header` misses them. */
function removeForged(transaction: MessageTransaction, name: string): void {
  const list = transaction.header.header_list
  const lowerCase = name.toLowerCase()
  // Filters in place: the message stream holds the same array.
  let kept = 0
  for (const [at, field] of list.entries()) {
    if (valuesAt(list, at, lowerCase).length === 0) list[kept++] = field
  }
  if (kept === list.length) return
  list.length = kept
  transaction.remove_header(name)
}
