import type { Client, Store } from '../../src/store/store'

/** Key → what it holds, an entry a line; in order where it has one, else sorted. */
export type Contents = ReadonlyMap<string, readonly string[]>

/**
 * All that is under the prefix of a store's keys, but for when it expires; a field of a hash is `field = value`.
 *
 * @throws for a type of which nothing is known here.
 */
export async function contentsOf({
  client,
  keys,
}: Pick<Store, 'client' | 'keys'>): Promise<Map<string, string[]>> {
  const all = (await client.keys('*')).filter((name) => name.startsWith(keys.prefix)).sort()
  const found = await Promise.all(all.map((name) => entriesOf(client, name)))
  return new Map(all.map((name, at) => [name, found[at]!]))
}

/** One key, as {@link contentsOf}; none where it is not there. */
export async function entriesOf(client: Client, key: string): Promise<string[]> {
  const type = await client.type(key)
  switch (type) {
    case 'none':
      return []
    case 'string':
      // A HyperLogLog is one, and no text.
      return [(await client.getBuffer(key))?.toString('utf8') ?? '']
    case 'list':
      return client.lrange(key, 0, -1)
    case 'set':
      return (await client.smembers(key)).sort()
    case 'zset':
      return client.zrange(key, '0', '-1')
    case 'hash':
      return Object.entries(await client.hgetall(key))
        .map((pair) => pair.join(' = '))
        .sort()
    case 'stream':
      return (await client.xrange(key, '-', '+')).map(([id, fields]) =>
        JSON.stringify([id, fields]),
      )
    default:
      throw new Error(`${key} is a ${type}: teach contents.ts to read it`)
  }
}
