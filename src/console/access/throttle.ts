import { LruCache } from '../../base/lru-cache'

const MINUTE = 60_000
/** Keys that are known at the same time: more of them forget those that were not used for longest. */
const MOST_KEYS = 10_000

/** So many in any minute, for each key. */
export class Throttle {
  /** When each of the last minute was, in ms. */
  private readonly times = new LruCache<number[]>(MOST_KEYS)

  /** @param now ms */
  constructor(
    private readonly most: number,
    private readonly now: () => number = Date.now,
  ) {}

  /** Seconds until there may be one more; 0: there may be. */
  wait(key: string): number {
    const times = this.timesOf(key)
    return times.length < this.most ? 0 : Math.ceil((times[0]! + MINUTE - this.now()) / 1000)
  }

  count(key: string): void {
    this.times.set(key, [...this.timesOf(key), this.now()].slice(-this.most))
  }

  private timesOf(key: string): number[] {
    return (this.times.get(key) ?? []).filter((time) => time > this.now() - MINUTE)
  }
}
