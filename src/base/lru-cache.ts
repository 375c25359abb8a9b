interface Entry<V> {
  readonly key: string
  readonly value: V
  readonly size: number
  newer: Entry<V> | undefined
  older: Entry<V> | undefined
}

/**
 * A cache of limited room, which forgets what has not been used for longest. It takes memory for what it holds only: the
 * package `lru-cache` allocates for all that it may ever hold, and has 3.6 MB on disk. Entries are linked in the order of
 * their use: a Map in that order takes microseconds a use where few of many keys are used (its deleted entries stay in
 * their chains until it is hashed anew).
 */
export class LruCache<V extends NonNullable<unknown>> {
  private readonly entries = new Map<string, Entry<V>>()
  private newest: Entry<V> | undefined
  private oldest: Entry<V> | undefined
  private taken = 0

  /**
   * @param room the sum of the sizes at most. One value may be larger: then it is alone.
   * @param sizeOf the size of a value; absent: 1.
   */
  constructor(
    private readonly room: number,
    private readonly sizeOf: (value: V) => number = () => 1,
  ) {}

  /** Number of values. */
  get size(): number {
    return this.entries.size
  }

  /** The most recently used first. */
  keys(): string[] {
    const keys: string[] = []
    for (let entry = this.newest; entry; entry = entry.older) keys.push(entry.key)
    return keys
  }

  has(key: string): boolean {
    return this.entries.has(key)
  }

  /** Does not count as a use. */
  peek(key: string): V | undefined {
    return this.entries.get(key)?.value
  }

  get(key: string): V | undefined {
    const entry = this.entries.get(key)
    if (entry && entry !== this.newest) {
      this.unlink(entry)
      this.link(entry)
    }
    return entry?.value
  }

  set(key: string, value: V): void {
    const before = this.entries.get(key)
    if (before) this.unlink(before)
    const size = this.sizeOf(value)
    const entry: Entry<V> = { key, value, size, newer: undefined, older: undefined }
    this.entries.set(key, entry)
    this.link(entry)
    while (this.taken > this.room && this.oldest && this.oldest !== entry) {
      this.delete(this.oldest.key)
    }
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    const entry = this.entries.get(key)
    if (entry) this.unlink(entry)
    return this.entries.delete(key)
  }

  clear(): void {
    this.entries.clear()
    this.newest = this.oldest = undefined
    this.taken = 0
  }

  /** As the newest. */
  private link(entry: Entry<V>): void {
    entry.older = this.newest
    entry.newer = undefined
    if (this.newest) this.newest.newer = entry
    else this.oldest = entry
    this.newest = entry
    this.taken += entry.size
  }

  private unlink({ newer, older, size }: Entry<V>): void {
    if (newer) newer.older = older
    else this.newest = older
    if (older) older.newer = newer
    else this.oldest = newer
    this.taken -= size
  }
}
