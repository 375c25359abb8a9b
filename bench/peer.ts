import { createRequire } from 'node:module'
import type { TestRedis } from '../scripts/services/redis'
import { IN_FLIGHT } from './ledger-load'

const HOUR = 3600

/** The part of rate-limiter-flexible that is used here. */
interface Peer {
  readonly RateLimiterRedis: new (options: {
    storeClient: unknown
    points: number
    duration: number
  }) => { consume(key: string): Promise<unknown> }
}

/**
 * Calls a second of rate-limiter-flexible's fixed window for one key; `undefined` where it is not installed: it is no
 * dependency of ours.
 */
export function startPeer(redis: TestRedis): ((calls: number) => Promise<number>) | undefined {
  const peer = load()
  if (!peer) return undefined
  const limiter = new peer.RateLimiterRedis({
    storeClient: redis.client(),
    points: 100_000_000,
    duration: HOUR,
  })
  return async (calls) => {
    let left = calls
    const begin = performance.now()
    const worker = async (): Promise<void> => {
      while (left-- > 0) await limiter.consume('contoso')
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
    return (calls * 1000) / (performance.now() - begin)
  }
}

function load(): Peer | undefined {
  try {
    return createRequire(__filename)('rate-limiter-flexible') as Peer
  } catch {
    return undefined
  }
}
