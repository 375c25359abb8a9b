interface Entry<V> {
  readonly value: V
  /** Whose share it is in. */
  readonly name: string
}

/**
 * Keeps a bounded number of values for several who share the room, each known by a name. All find all of them; where
 * there is no room left, one that has more than its share loses its own oldest value, else the one that has most does. So
 * nobody can push out what others have by asking for ever more.
 */
export class FairCache<V> {
  private readonly entries = new Map<string, Entry<V>>()
  /** Name → its keys, the oldest first. */
  private readonly shares = new Map<string, Set<string>>()

  /** @param room number of values. */
  constructor(private readonly room: number) {}

  get size(): number {
    return this.entries.size
  }

  get(key: string): V | undefined {
    return this.entries.get(key)?.value
  }

  /** Sets a value, which is young again, and in the share of `name`. */
  set(name: string, key: string, value: V): void {
    this.delete(key)
    if (this.entries.size >= this.room) this.makeRoom(name)
    const share = this.shares.get(name)
    if (share) share.add(key)
    else this.shares.set(name, new Set([key]))
    this.entries.set(key, { value, name })
  }

  delete(key: string): void {
    const name = this.entries.get(key)?.name
    if (name === undefined) return
    this.entries.delete(key)
    const share = this.shares.get(name)!
    share.delete(key)
    if (share.size === 0) this.shares.delete(name)
  }

  clear(): void {
    this.entries.clear()
    this.shares.clear()
  }

  private makeRoom(name: string): void {
    const own = this.shares.get(name)
    // To look for the largest of thousands takes long: one that asks for ever more does not get there.
    const isLarge = own && own.size * this.shares.size > this.room
    const [oldest] = isLarge ? own : this.largest()
    this.delete(oldest!)
  }

  private largest(): ReadonlySet<string> {
    let largest: ReadonlySet<string> = new Set()
    for (const share of this.shares.values()) if (share.size > largest.size) largest = share
    return largest
  }
}
