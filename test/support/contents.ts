import type { Client, Store } from '../../src/store/store'

/** Key → its content, one entry a line; in the key's order, else sorted. */
export type Contents = ReadonlyMap<string, readonly string[]>

/**
 * All keys under a store's prefix, without their expiry; a field of a hash is `field = value`.
 *
 * @throws for an unknown type.
 */
export async function contentsOf({
  client,
  keys,
}: Pick<Store, 'client' | 'keys'>): Promise<Map<string, string[]>> {
  const all = (await client.keys('*')).filter((name) => name.startsWith(keys.prefix)).sort()
  const found = await Promise.all(all.map((name) => entriesOf(client, name)))
  return new Map(all.map((name, at) => [name, found[at]!]))
}

/** One key, as in {@link contentsOf}; nothing if it does not exist. */
export async function entriesOf(client: Client, key: string): Promise<string[]> {
  const type = await client.type(key)
  switch (type) {
    case 'none':
      return []
    case 'string':
      // A HyperLogLog is a string type, but not text.
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
