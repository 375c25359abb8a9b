import { coveringDomain } from '../names/covering'
import { parentsOf } from '../names/domain'
import type { AcceptedDomain } from '../mail/tenant'
import { unpackDomain } from '../registry/formats'
import { readClaims } from '../registry/owners'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'

/** Why mail from a name is registered mail of a tenant. */
export interface Registration {
  readonly tenant: string
  /** The accepted domain that covers the name. */
  readonly accepted: AcceptedDomain
}

/** Whose a name is. */
export interface Holders {
  /**
   * The one tenant that owns it. `unfinished`: the tenant has claimed it, and its list does not hold it (yet): a command is
   * writing it, or was interrupted.
   */
  readonly owner:
    | ({ readonly state: 'registered' } & Registration)
    | { readonly state: 'unfinished'; readonly tenant: string; readonly domain: string }
    | undefined
  /** Tenants that have it as shared, by id. */
  readonly shared: readonly Registration[]
}

/**
 * Finds the tenants whose registered mail may come from a name. Asks every tenant for shared ones: some seconds where there
 * are 100,000 tenants.
 *
 * @param domain lower-case A-labels.
 * @throws what ioredis throws.
 */
export async function findDomain(store: Store, domain: string): Promise<Holders> {
  const owner = await findOwner(store, domain)
  const shared: Registration[] = []
  for await (const tenants of scanSet(store, store.keys.tenants)) {
    const found = await Promise.all(
      tenants.map((tenant) => coveringIn(store, tenant, domain, { shared: true })),
    )
    shared.push(...found.filter((each) => each !== undefined))
  }
  return { owner, shared: shared.sort((a, b) => (a.tenant < b.tenant ? -1 : 1)) }
}

/** Finds the tenant that owns a name. @param domain lower-case A-labels. @throws what ioredis throws. */
export async function findOwner(store: Store, domain: string): Promise<Holders['owner']> {
  const claims = new Map(
    (await readClaims(store, [domain, ...parentsOf(domain)])).flatMap((each) =>
      each ? [[each.domain, each]] : [],
    ),
  )
  const claim = claims.get(coveringDomain(claims, domain) ?? '')
  if (!claim) return undefined
  const owned = await coveringIn(store, claim.tenant, domain, { shared: false })
  if (owned) return { state: 'registered', ...owned }
  return { state: 'unfinished', tenant: claim.tenant, domain: claim.domain }
}

/** The accepted domain of a tenant that covers a name. */
async function coveringIn(
  { client, keys }: Store,
  tenant: string,
  domain: string,
  wanted: { readonly shared: boolean },
): Promise<Registration | undefined> {
  const names = [domain, ...parentsOf(domain)]
  const packed = await client.hmget(keys.domains(tenant), ...names)
  const entries = names
    .flatMap((name, at) => (packed[at] ? [unpackDomain(name, packed[at])] : []))
    .filter(({ shared }) => shared === wanted.shared)
  const byName = new Map(entries.map((each) => [each.domain, each]))
  const accepted = byName.get(coveringDomain(byName, domain) ?? '')
  return accepted && { tenant, accepted }
}
