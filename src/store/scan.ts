import type { Store } from './store'

/**
 * Calls `each` for every field of a hash, in pieces: neither Redis nor this process is held for longer than one piece.
 * A field that is written meanwhile may come twice or not at all.
 *
 * @param piece fields to ask for at a time.
 */
export async function scanHash(
  store: Store,
  key: string,
  piece: number,
  each: (field: string, value: string) => void,
): Promise<void> {
  let cursor = '0'
  do {
    const [next, pairs] = await store.client.hscan(key, cursor, 'COUNT', piece)
    for (let at = 0; at + 1 < pairs.length; at += 2) each(pairs[at]!, pairs[at + 1]!)
    cursor = next
  } while (cursor !== '0')
}
