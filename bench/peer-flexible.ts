import { RateLimiterRedis } from 'rate-limiter-flexible'
import { keepInFlight } from './in-flight'
import { IN_FLIGHT } from './ledger-load'
import type { StartPeer } from './peer'

const HOUR = 3600

/** rate-limiter-flexible's fixed window for one key, asked as the Ledger is. */
export const startFlexible: StartPeer = (redis) => {
  const client = redis.client()
  const limiter = new RateLimiterRedis({
    storeClient: client,
    points: 100_000_000,
    duration: HOUR,
  })
  return Promise.resolve({
    what: 'rate-limiter-flexible, one fixed window',
    how: `in the process of its caller, ${IN_FLIGHT} calls in flight over one connection`,
    calls: 20_000,
    run: async (calls) =>
      (await keepInFlight(calls, IN_FLIGHT, () => limiter.consume('contoso'))).perSecond,
    stop: () => Promise.resolve(client.disconnect()),
  })
}
