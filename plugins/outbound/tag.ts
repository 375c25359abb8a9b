import type { Config } from '../../src/process/config'
import { isTenantId } from '../../src/mail/identities'
import { valuesAt } from '../../src/message/fields'
import { queuedNote } from '../../src/outbound/note'
import type { Connection, MessageTransaction } from '../kit/haraka'

/**
 * Tells the next hop what a message is, in a header of its own: `unregistered; tenant=contoso; connector=mx`, a token and
 * parameters as in RFC 2045 §5.1. Whoever else has written that header is not believed: it is removed from every message,
 * of whatever session.
 */
export class Tag {
  constructor(private readonly config: () => Config) {}

  /**
   * The first of the hooks queue and queue_outbound: all that decides on the class, or looks for a signature, has run; and
   * no plugin that ends data_post with OK can leave a forged header in its place.
   */
  queue(connection: Connection): undefined {
    const { header: name } = this.config().tag
    const transaction = connection.transaction as MessageTransaction | null
    if (name === '' || !transaction) return
    removeForged(transaction, name)
    const value = tagOf(transaction.notes)
    if (value !== undefined) transaction.add_leading_header(name, value)
    // With no header at all Haraka would send on those that came (haraka-message-stream, pipe).
    else if (transaction.header.header_list.length === 0) {
      transaction.add_header('Date', new Date().toUTCString().replace('GMT', '+0000'))
    }
  }
}

/** `undefined`: the message is of no tenant. */
export function tagOf(notes: Readonly<Record<string, unknown>>): string | undefined {
  const note = queuedNote(notes)
  if (!note) return undefined
  const { tenant, connector } = note
  const parts: string[] = [note.class ?? 'unknown']
  // An id is a token. A note of another plugin may name anything.
  if (isTenantId(tenant)) {
    parts.push(`tenant=${tenant}`)
    const name = connector?.slice(tenant.length + 1) ?? ''
    if (isTenantId(name)) parts.push(`connector=${name}`)
  }
  return parts.join('; ')
}

/** Removes every instance, also what only some servers take for one; Haraka's own `remove_header` sees only what it does. */
function removeForged(transaction: MessageTransaction, name: string): void {
  const list = transaction.header.header_list
  const lowerCase = name.toLowerCase()
  // In place: the message stream holds the same array.
  let kept = 0
  for (const [at, field] of list.entries()) {
    if (valuesAt(list, at, lowerCase).length === 0) list[kept++] = field
  }
  if (kept === list.length) return
  list.length = kept
  transaction.remove_header(name)
}
