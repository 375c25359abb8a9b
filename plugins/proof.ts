import { prove } from '../src/forwarded/prove'
import { messageIn } from './message'
import type { Prove } from './settling'

/**
 * Looks into the message of a transaction at the end of DATA. Never rejects; takes half a minute at most. Where the client
 * goes away meanwhile, the message is not read on: others wait for their turn.
 */
export const proveForward: Prove = (transit, isAccepted, arcSealers) => {
  const { transaction, standing } = transit
  const message = messageIn(transaction)
  transit.giveUp = () => message.destroy()
  return prove({
    ...{ message, size: transaction.data_bytes },
    ...{ envelopeDomain: standing.domain, isAccepted, arcSealers },
  })
}
