import type { Store } from '../../src/store/store'

/** All that a store's prefix holds: key → its entries, as text; an entry of a hash is `field = value`. */
export async function contentsOf({ client, keys }: Store): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>()
  for (const key of (await client.keys(`${keys.prefix}*`)).sort()) {
    found.set(key, await entriesOf(client, key))
  }
  return found
}

async function entriesOf(client: Store['client'], key: string): Promise<string[]> {
  switch (await client.type(key)) {
    case 'hash':
      return Object.entries(await client.hgetall(key)).map((pair) => pair.join(' = '))
    case 'set':
      return client.smembers(key)
    case 'zset':
      return client.zrange(key, '0', '-1')
    case 'list':
      return client.lrange(key, 0, -1)
    case 'stream':
      return (await client.xrange(key, '-', '+')).map((entry) => entry.flat().join(' '))
    default:
      return [(await client.get(key)) ?? '']
  }
}
