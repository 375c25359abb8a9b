import { prove } from '../../src/message/proof/prove'
import { acceptedDomainOf } from '../../src/directory/snapshot'
import { messageIn } from './message'
import type { Prove } from './settling'

/**
 * Looks into the message of a transaction at the end of DATA. Never rejects; takes half a minute at most. Where the client
 * goes away meanwhile, its place is free for others at once.
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
