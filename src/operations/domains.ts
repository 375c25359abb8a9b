import type { Work } from '../base/work'
import type { AcceptedDomain } from '../mail/tenant'
import { toDomain } from '../names/domain'
import { unpackDomain } from '../registry/formats'
import { DomainRegistry } from '../registry/domain-registry'
import { assertTenantExists } from '../registry/tenant-registry'
import { scanHash } from '../store/scan'
import type { Store } from '../store/store'
import { lossOf } from './loss'

/** Names to look at at a time: short enough that neither Redis nor this process is held. */
const BATCH = 1000

/** Changes in place whether names below count. @param by who does it. @throws as {@link DomainRegistry.setSubdomains}. */
export async function setSubdomains(
  store: Store,
  tenant: string,
  domains: readonly string[],
  subdomains: boolean,
  by: string,
  work: Work = {},
): Promise<{ changed: string[]; unchanged: string[] }> {
  return new DomainRegistry(store).setSubdomains(tenant, domains, subdomains, by, work)
}

/** Removes accepted domains and frees their names. @throws as {@link DomainRegistry.remove}. */
export async function removeDomains(
  store: Store,
  tenant: string,
  domains: readonly string[],
  work: Work = {},
): Promise<void> {
  await new DomainRegistry(store).remove(tenant, domains, work)
}

/** What a tenant has before some of its accepted domains go. */
export interface DomainLoss {
  readonly tenant: string
  /** Those that go. */
  readonly domains: readonly string[]
  /** How many it has now. */
  readonly all: number
  /** Its recipients of registered mail in the last day, from all its domains. */
  readonly recipients: number
}

/** For the question before domains are removed. */
export async function lossOfDomains(
  store: Store,
  tenant: string,
  domains: readonly string[],
): Promise<DomainLoss> {
  const all = await store.client.hlen(store.keys.domains(tenant))
  const { recipients } = await lossOf(store, {
    ...{ tenants: [], connectors: new Map() },
    domains: new Map([[tenant, domains.length]]),
  })
  return { tenant, domains, all, recipients }
}

/** Some accepted domains of a tenant. */
export interface DomainsPart {
  /** By name. */
  readonly domains: readonly AcceptedDomain[]
  /** How many the tenant has. */
  readonly all: number
  /** The first of the names that follow; `undefined`: none do. */
  readonly next: string | undefined
}

/**
 * The first accepted domains by name, of a tenant that may have 100,000: the names are looked through, and few are kept.
 *
 * @param choice `from`: the first name, `begins`: how names begin, as A-labels; a whole name may be in Unicode. Empty: any.
 * @throws {NotFoundError} no such tenant.
 */
export async function firstDomains(
  store: Store,
  tenant: string,
  { from, begins, most }: Readonly<{ from: string; begins: string; most: number }>,
): Promise<DomainsPart> {
  await assertTenantExists(store, tenant)
  const key = store.keys.domains(tenant)
  const start = toDomain(begins) ?? begins.toLowerCase()
  let first: [string, string][] = []
  /** Names behind it are not among the first ones. */
  let last: string | undefined
  const keepFirst = (): void => {
    first = [...new Map(first)].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, most + 1)
    last = first[most]?.[0]
  }
  const pattern = `${start.replace(/[\\*?[\]]/g, '\\$&')}*`
  await scanHash(
    store,
    key,
    BATCH,
    (domain, packed) => {
      if (domain < from || (last !== undefined && domain > last)) return
      first.push([domain, packed])
      if (first.length > 4 * most) keepFirst()
    },
    pattern,
  )
  keepFirst()
  return {
    domains: first.slice(0, most).map(([domain, packed]) => unpackDomain(domain, packed)),
    all: await store.client.hlen(key),
    next: first[most]?.[0],
  }
}
