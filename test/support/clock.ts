import type { Store } from '../../src/store/store'

/** A fixed time, in ms since the epoch, at the beginning of a bucket of every window of whole minutes. */
export const NOON = 1_764_000_000_000

/** A server clock that only a test moves: a key in Redis, for all keys of one prefix. */
export class TestClock {
  /** The includes that make a store's scripts read the clock of its prefix. */
  readonly includes = {
    clock: `
      local function now_us()
        return redis.call('GET', 'clock:' .. string.match(KEYS[1], '^[^{]*')) * 1000
      end

      local function now_ms()
        return math.floor(now_us() / 1000)
      end
    `,
  }

  private time = NOON

  private forward = 0

  /** ms since the epoch */
  get now(): number {
    return this.time
  }

  /** The total forward movement, in ms. */
  get passed(): number {
    return this.forward
  }

  async set({ client, keys }: Store, time: number): Promise<void> {
    this.forward += Math.max(0, time - this.time)
    this.time = time
    await client.set(`clock:${keys.prefix}`, time)
  }

  /** @param ms below zero: backward. */
  async advance(store: Store, ms: number): Promise<void> {
    await this.set(store, this.time + ms)
  }
}
