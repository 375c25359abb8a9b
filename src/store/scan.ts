import { Cluster } from 'ioredis'
import type { Store } from './store'

/** Members to ask for at a time. */
const BATCH = 1000

/**
 * Calls `each` for every field of a hash, in batches: one batch at a time holds Redis and this process. A field that is
 * written meanwhile may come twice or not at all.
 *
 * @param batch fields to look at at a time.
 * @param pattern that a field is to match; absent: all.
 */
export async function scanHash(
  store: Store,
  key: string,
  batch: number,
  each: (field: string, value: string) => void,
  pattern = '*',
): Promise<void> {
  let cursor = '0'
  do {
    const [next, pairs] = await store.client.hscan(key, cursor, 'MATCH', pattern, 'COUNT', batch)
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
  const tail = `}${suffix}`
  const start = store.keys.prefix.length + 1
  const tags = new Set<string>()
  for await (const names of scanKeys(store, `*${tail}`)) {
    for (const name of names) tags.add(name.slice(start, -tail.length))
  }
  return tags
}

/**
 * The names of our keys, in batches, read with SCAN on every primary. A key that is written meanwhile may be missing.
 *
 * @param pattern of what follows the prefix and the brace that begins the hash tag.
 */
export async function* scanKeys({ client, keys }: Store, pattern = '*'): AsyncGenerator<string[]> {
  const head = `${keys.prefix}{`.replace(/[\\*?[\]^]/g, '\\$&')
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  for (const node of nodes) {
    let cursor = '0'
    do {
      const [next, found] = await node.scan(cursor, 'MATCH', head + pattern, 'COUNT', BATCH)
      if (found.length > 0) yield found
      cursor = next
    } while (cursor !== '0')
  }
}
