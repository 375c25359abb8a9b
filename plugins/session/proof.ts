import { PassThrough, type Readable } from 'node:stream'
import { prove } from '../../src/message/proof/prove'
import { acceptedDomainOf } from '../../src/directory/snapshot'
import type { MessageSource } from '../kit/haraka'
import type { Prove } from './settling'

/**
 * Looks for a proof in the message of a transaction at the end of DATA. Never rejects; takes half a minute at most. When
 * the client goes away, the reading ends at once and frees its place.
 */
export const proveForward: Prove = (transit, snapshot, arcSealers) => {
  const { transaction, standing } = transit
  const message = messageIn(transaction)
  const leaving = new AbortController()
  transit.giveUp = () => {
    message.destroy()
    leaving.abort()
  }
  return prove({
    ...{ tenant: snapshot.tenant, message, size: transaction.data_bytes },
    isAccepted: (domain) => acceptedDomainOf(snapshot, domain) !== undefined,
    ...{ envelopeDomain: standing.domain, arcSealers, signal: leaving.signal },
  }).finally(() => (transit.giveUp = undefined))
}

/**
 * The message as Haraka would deliver it now: with the header fields of plugins and Haraka's own Received, not dot-stuffed,
 * with CRLF; from memory or from the spool file.
 *
 * Destroy it, however far it was read, before anything else reads the message. Haraka's stream throws where two read at a
 * time, and it would notice the end only a turn after the event `close`, when the queue already reads.
 */
export function messageIn({ message_stream: stream }: MessageSource): Readable {
  const message = new PassThrough({
    destroy(error, done) {
      stream.unpipe()
      done(error)
    },
  })
  stream.pipe(message)
  return message
}
