import type { Store } from '../../src/store/store'

/** Some moment, in ms since the epoch; at the beginning of a bucket of every window of whole minutes. */
export const NOON = 1_764_000_000_000

let clocks = 0

/** A server clock that only a test moves: a key of its own in the Redis of the test. */
export class TestClock {
  private readonly key = `clock:${++clocks}`

  /** The includes that make a store's scripts read this clock. */
  readonly includes = {
    clock: `
      local function now_us()
        return redis.call('GET', '${this.key}') * 1000
      end

      local function now_ms()
        return math.floor(now_us() / 1000)
      end
    `,
  }

  private time = NOON

  /** ms since the epoch */
  get now(): number {
    return this.time
  }

  async set(store: Store, time: number): Promise<void> {
    this.time = time
    await store.client.set(this.key, time)
  }

  /** @param ms below zero: backward. */
  async advance(store: Store, ms: number): Promise<void> {
    await this.set(store, this.time + ms)
  }
}
