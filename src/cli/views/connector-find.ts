import type { ConnectorsFound } from '../../explain/find-connector'
import { blockInWords, METHODS } from '../../explain/words'
import { describeIdentity } from '../../registry/connector-audit'
import type { Cell } from '../kit/output'

/** What an address, a certificate or an AUTH user belongs to. */
export type Match = ConnectorsFound['matches'][number]

/** The same for people. */
export function matchFacts({
  tenant,
  connector,
  method,
  identity,
  found,
}: Match): [string, Cell][] {
  const by = identity === undefined ? METHODS[method] : describeIdentity(identity)
  const facts: [string, Cell][] = [
    ['tenant', tenant],
    ['connector', connector ?? 'none: the tenant owns the domain'],
    ['by', by],
  ]
  if (!found) return facts
  const { blocked } = found
  return [
    ...facts,
    ['enabled', found.enabled ? 'yes' : { text: 'no', tone: 'bad' }],
    ['blocked', blocked ? { text: blockInWords(blocked), tone: 'bad' } : 'no'],
  ]
}

/** That nothing matches, and what is near. */
export function notFoundText(what: string, { ambiguous, near }: ConnectorsFound): string {
  const text = `no connector matches ${JSON.stringify(what)}`
  if (ambiguous.length > 0) {
    return `${text}: an AUTH user of each of ${ambiguous.join(', ')} differs in its spelling only`
  }
  const misses = near.map(
    ({ connector, identity }) => `${describeIdentity(identity)} of ${connector}`,
  )
  return misses.length === 0 ? text : `${text}; near it: ${misses.join(', ')}`
}
