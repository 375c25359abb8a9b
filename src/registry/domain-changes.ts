import type { DomainFlags } from './formats'

/** A change of some accepted domains of a tenant, from one token of its list to the next. */
export interface DomainsChange {
  readonly previous: string
  readonly token: string
  /** The new flags of each; `null`: removed. */
  readonly domains: ReadonlyMap<string, DomainFlags | null>
}

/**
 * Applies a change to a list in place: copying 100,000 names for one of them would delay every session.
 *
 * Applying it twice, or to a list that holds some of it or of later changes already, does no harm as long as the later
 * ones follow: the last one decides on each name.
 */
export function applyChange(list: Map<string, DomainFlags>, { domains }: DomainsChange): void {
  for (const [domain, flags] of domains) {
    if (flags === null) list.delete(domain)
    else list.set(domain, flags)
  }
}
