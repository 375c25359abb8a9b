/** How many messages a process holds in its queue: it looks at each again and again. */
export class HeldCount {
  /** When each is looked at again, in monotonic ms, ascending. */
  private readonly until: number[] = []

  /** A message is held. @param until when it is looked at again, in monotonic ms: not before one held earlier. */
  add(until: number, now = performance.now()): void {
    this.forget(now)
    this.until.push(until)
  }

  /** The number of messages held now. */
  count(now = performance.now()): number {
    this.forget(now)
    return this.until.length
  }

  private forget(now: number): void {
    const over = this.until.findIndex((until) => until > now)
    this.until.splice(0, over === -1 ? this.until.length : over)
  }
}
