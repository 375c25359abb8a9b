import { prove } from '../src/forwarded/prove'
import { messageIn } from './message'
import type { Prove } from './settling'

/** Looks into the message of a transaction at the end of DATA. Never rejects; takes half a minute at most. */
export const proveForward: Prove = ({ transaction, standing }, isAccepted, arcSealers) => {
  return prove({
    ...{ message: messageIn(transaction), size: transaction.data_bytes },
    ...{ envelopeDomain: standing.domain, isAccepted, arcSealers },
  })
}
