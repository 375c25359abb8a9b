import { lru, type LRU } from 'tiny-lru'

interface Entry<V> {
  readonly value: V
  /** When it was set: a value may change. */
  readonly size: number
}

/**
 * A cache that forgets what has not been used for longest: that of the package tiny-lru, with a limit of the sum of the
 * sizes.
 */
export class LruCache<V extends NonNullable<unknown>> {
  private readonly entries: LRU<Entry<V>> = lru(0)
  private taken = 0

  /**
   * @param room the sum of the sizes at most. One value may be larger: then it is alone.
   * @param sizeOf the size of a value; absent: 1.
   * @param onGone is called when a value is replaced or removed.
   */
  constructor(
    private readonly room: number,
    private readonly sizeOf: (value: V) => number = () => 1,
    private readonly onGone: () => void = () => {},
  ) {}

  /** Number of values. */
  get size(): number {
    return this.entries.size
  }

  /** The most recently used first. */
  keys(): string[] {
    return (this.entries.keys() as string[]).reverse()
  }

  has(key: string): boolean {
    return this.entries.has(key)
  }

  /** Does not count as a use. */
  peek(key: string): V | undefined {
    return this.entries.peek(key)?.value
  }

  get(key: string): V | undefined {
    return this.entries.get(key)?.value
  }

  set(key: string, value: V): void {
    const size = this.sizeOf(value)
    const before = this.entries.peek(key)
    this.entries.set(key, { value, size })
    this.taken += size
    if (before) this.gone(before)
    while (this.taken > this.room && this.entries.size > 1) {
      this.delete(this.entries.first!.key as string)
    }
  }

  /** @returns whether it was there. */
  delete(key: string): boolean {
    const entry = this.entries.peek(key)
    if (!entry) return false
    this.entries.delete(key)
    this.gone(entry)
    return true
  }

  clear(): void {
    this.entries.clear()
    this.taken = 0
    this.onGone()
  }

  private gone({ size }: Entry<V>): void {
    this.taken -= size
    this.onGone()
  }
}
