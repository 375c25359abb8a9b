import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '../../src/store/store'

/** What Redis held at a moment. */
export interface RedisSample {
  /** ms since the epoch, our clock */
  readonly at: number
  /** bytes */
  readonly usedMemory: number
  readonly clients: number
  readonly keys: number
}

export async function sampleRedis({ client }: Store): Promise<RedisSample> {
  const [memory, clients, keys] = await Promise.all([
    client.info('memory'),
    client.info('clients'),
    client.dbsize(),
  ])
  return {
    at: Date.now(),
    usedMemory: Number(/^used_memory:(\d+)/m.exec(memory)?.[1]),
    clients: Number(/^connected_clients:(\d+)/m.exec(clients)?.[1]),
    keys,
  }
}

/** Takes a sample each second until it is stopped. */
export class RedisWatch {
  readonly samples: RedisSample[] = []
  /** A Redis that does not answer is a failure of the run. */
  readonly failures: string[] = []
  readonly #timer: NodeJS.Timeout

  constructor(store: Store) {
    const take = (): void => {
      sampleRedis(store).then(
        (sample) => this.samples.push(sample),
        (error: unknown) => this.failures.push(`Redis: ${String(error)}`),
      )
    }
    this.#timer = setInterval(take, 1_000)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/**
 * Forgets all receipts, as an hour does, and waits until Redis has given their room back.
 *
 * @returns how many there were, and what Redis holds without them, in bytes
 */
export async function forgetReceipts(
  store: Store,
): Promise<{ receipts: number; usedMemory: number }> {
  const { client, keys } = store
  let receipts = 0
  const pattern = keys.receipt('*', '*')
  let cursor = '0'
  do {
    const [next, names] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000)
    if (names.length > 0) receipts += await client.unlink(...names)
    cursor = next
  } while (cursor !== '0')
  return { receipts, usedMemory: await settledMemory(store) }
}

/** Tables of keys shrink bit by bit, in the background. */
async function settledMemory(store: Store): Promise<number> {
  let least = Infinity
  let unchanged = 0
  while (unchanged < 5) {
    const { usedMemory } = await sampleRedis(store)
    unchanged = usedMemory < least ? 0 : unchanged + 1
    least = Math.min(least, usedMemory)
    await sleep(100)
  }
  return least
}
