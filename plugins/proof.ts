import type { NoProof, Proof } from '../src/forwarded/prove'

/** Nothing proves a forward yet: what is held counts as unregistered. */
export function proveForward(): Promise<Proof | NoProof> {
  return Promise.resolve({ kind: 'none', reason: 'unsigned' })
}
