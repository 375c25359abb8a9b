import type { DomainFlags } from './formats'

/** What became of some accepted domains of a tenant, from one token of its list to the next. */
export interface DomainsChange {
  readonly previous: string
  readonly token: string
  /** How each counts now; `null`: it is no accepted domain any more. */
  readonly domains: ReadonlyMap<string, DomainFlags | null>
}

/**
 * Makes a change in a list itself: a copy of 100,000 names for one of them would hold up every session.
 *
 * Making it twice, or in a list that has some of it or of later changes already, does no harm, as long as the later
 * ones follow: the last of them decides on each name.
 */
export function applyChange(list: Map<string, DomainFlags>, { domains }: DomainsChange): void {
  for (const [domain, flags] of domains) {
    if (flags === null) list.delete(domain)
    else list.set(domain, flags)
  }
}
