/** A change of something that has a token: from one token to the next. */
export interface Step {
  readonly previous: string
  readonly token: string
}

/** Published changes that arrive while the list that they change is being read. */
export class ChangeBuffer<Change extends Step> {
  readonly #byPrevious = new Map<string, Change>()
  #last: string | undefined

  /** Token after the latest change; `undefined`: none has arrived. */
  get last(): string | undefined {
    return this.#last
  }

  add(change: Change): void {
    this.#byPrevious.set(change.previous, change)
    this.#last = change.token
  }

  /** The changes that follow a token, in order, up to the first gap. */
  *after(token: string): Generator<Change> {
    let at = token
    // No token comes twice; a forged message must not make this loop endless.
    for (let left = this.#byPrevious.size; left > 0; left--) {
      const change = this.#byPrevious.get(at)
      if (change === undefined) return
      yield change
      at = change.token
    }
  }

  /** Whether the changes connect one token to another without a gap. */
  connects(from: string, to: string): boolean {
    if (from === to) return true
    for (const { token } of this.after(from)) if (token === to) return true
    return false
  }
}
