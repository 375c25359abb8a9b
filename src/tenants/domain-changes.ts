/** What became of some accepted domains of a tenant, from one token of its list to the next. */
export interface DomainsChange {
  readonly previous: string
  readonly token: string
  /** Accepted domain → whether the names below it count too; `null`: it is none any more. */
  readonly domains: ReadonlyMap<string, boolean | null>
}

/**
 * Makes a change in a list itself: a copy of 100,000 names for one of them would hold up every session.
 *
 * Making it twice, or in a list that has some of it or of later changes already, does no harm, as long as the later
 * ones follow: the last of them decides on each name.
 */
export function applyChange(list: Map<string, boolean>, { domains }: DomainsChange): void {
  for (const [domain, subdomains] of domains) {
    if (subdomains === null) list.delete(domain)
    else list.set(domain, subdomains)
  }
}

/** The changes that were heard of while a list was being read. */
export class HeardChanges {
  readonly #byPrevious = new Map<string, DomainsChange>()
  #last: string | undefined

  /** The token of the change that was heard last; `undefined`: none was. */
  get last(): string | undefined {
    return this.#last
  }

  add(change: DomainsChange): void {
    this.#byPrevious.set(change.previous, change)
    this.#last = change.token
  }

  /** Those that lead on from a token, in order, as far as they do so without a gap. */
  *after(token: string): Generator<DomainsChange> {
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
