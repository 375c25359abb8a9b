import { Cluster } from 'ioredis'
import type { Store } from './store'

/** Members to ask for at a time. */
const BATCH = 1000

/**
 * Calls `each` for every field of a hash, in batches: one batch at a time holds Redis and this process. A field that is
 * written meanwhile may come twice or not at all.
 *
 * @param batch fields to ask for at a time.
 */
export async function scanHash(
  store: Store,
  key: string,
  batch: number,
  each: (field: string, value: string) => void,
): Promise<void> {
  let cursor = '0'
  do {
    const [next, pairs] = await store.client.hscan(key, cursor, 'COUNT', batch)
    for (let at = 0; at + 1 < pairs.length; at += 2) each(pairs[at]!, pairs[at + 1]!)
    cursor = next
  } while (cursor !== '0')
}

/** The members of a set, in batches. A member that is written meanwhile may be missing. */
export async function* scanSet(store: Store, key: string): AsyncGenerator<string[]> {
  let cursor = '0'
  do {
    const [next, members] = await store.client.sscan(key, cursor, 'COUNT', BATCH)
    if (members.length > 0) yield members
    cursor = next
  } while (cursor !== '0')
}

/** All members of a sorted set with their scores, read in batches. */
export async function scanSortedSet(store: Store, key: string): Promise<Map<string, number>> {
  const members = new Map<string, number>()
  let cursor = '0'
  do {
    const [next, pairs] = await store.client.zscan(key, cursor, 'COUNT', BATCH)
    for (let at = 0; at < pairs.length; at += 2) members.set(pairs[at]!, Number(pairs[at + 1]))
    cursor = next
  } while (cursor !== '0')
  return members
}

/**
 * The hash tags of all keys such as `ud:{id}:restriction`, read with SCAN on every primary.
 *
 * @param suffix what follows the hash tag, or empty.
 */
export async function scanTags(store: Store, suffix: string): Promise<Set<string>> {
  const { client, keys } = store
  const head = `${keys.prefix}{`
  const tail = `}${suffix}`
  const pattern = `${head.replace(/[\\*?[\]^]/g, '\\$&')}*${tail}`
  const tags = new Set<string>()
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  for (const node of nodes) {
    let cursor = '0'
    do {
      const [next, found] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', BATCH)
      for (const key of found) tags.add(key.slice(head.length, -tail.length))
      cursor = next
    } while (cursor !== '0')
  }
  return tags
}
