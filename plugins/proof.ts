import { prove } from '../src/forwarded/prove'
import { messageIn, type MessageSource } from './message'
import type { Prove } from './settling'

/** Looks into the message of a transaction at the end of DATA. Never rejects; takes five seconds at most. */
export const proveForward: Prove = ({ transaction, standing }, isAccepted, arcSealers) => {
  const source = transaction as unknown as MessageSource
  return prove({
    ...{ message: messageIn(source), size: source.data_bytes },
    ...{ envelopeDomain: standing.domain, isAccepted, arcSealers },
  })
}
