import { PassThrough, type Readable } from 'node:stream'
import { acceptedDomainOf, type Snapshot } from '../../src/directory/snapshot'
import { prove, type NoProof, type Proof } from '../../src/message/proof/prove'
import type { MessageSource } from '../kit/haraka'
import type { Transaction } from './transaction'

/**
 * Looks for a proof in the message of a transaction at the end of DATA. Never rejects; takes half a minute at most. When
 * the transaction ends, the search ends at once and its place is free for others.
 *
 * @param arcSealers domains whose ARC seals are trusted.
 */
export function proveForward(
  { haraka, sender, endSignal: signal }: Transaction,
  snapshot: Snapshot,
  arcSealers: readonly string[],
): Promise<Proof | NoProof> {
  const message = messageIn(haraka)
  signal.addEventListener('abort', () => message.destroy(), { once: true })
  return prove({
    ...{ tenant: snapshot.tenant, message, size: haraka.data_bytes },
    isAccepted: (domain) => acceptedDomainOf(snapshot, domain) !== undefined,
    ...{ envelopeDomain: sender.domain, arcSealers, signal },
  })
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
