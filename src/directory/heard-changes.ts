/** A change of something that has a token, from one token to the next. */
export interface Step {
  readonly previous: string
  readonly token: string
}

/** The changes that were heard of while what they change was being read. */
export class HeardChanges<Change extends Step> {
  readonly #byPrevious = new Map<string, Change>()
  #last: string | undefined

  /** The token of the change that was heard last; `undefined`: none was. */
  get last(): string | undefined {
    return this.#last
  }

  add(change: Change): void {
    this.#byPrevious.set(change.previous, change)
    this.#last = change.token
  }

  /** Those that lead on from a token, in order, as far as they do so without a gap. */
  *after(token: string): Generator<Change> {
    let at = token
    // No token comes twice; a message that says so must not keep us here for ever.
    for (let left = this.#byPrevious.size; left > 0; left--) {
      const change = this.#byPrevious.get(at)
      if (change === undefined) return
      yield change
      at = change.token
    }
  }

  /** Whether they lead from one token to another, without a gap. */
  lead(from: string, to: string): boolean {
    if (from === to) return true
    for (const { token } of this.after(from)) if (token === to) return true
    return false
  }
}
