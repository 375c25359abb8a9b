import { InputError, noSuchTenant, NotFoundError, RefusedError, UserError } from '../base/errors'
import { acceptedDomainName } from '../names/accepted'
import { typedDomain } from '../names/typed-domain'
import { batchesOf } from '../base/lists'
import type { Store } from '../store/store'
import { claim, inClaimOrder } from './claims'
import {
  putEntries,
  readAllEntries,
  readEntries,
  removeEntries,
  type DomainEntry,
} from './domain-entries'
import { moveDomain } from './domain-move'
import { ownedByAnother, BATCH, readClaims } from './owners'
import { reconcileClaims } from './reconcile'
import { assertTenantExists } from './tenant-registry'
import type { AcceptedDomain } from '../mail/tenant'

/** Result for each accepted domain of a call. */
export interface DomainsPut {
  readonly added: string[]
  readonly updated: string[]
  readonly unchanged: string[]
}

/** Writes accepted domains: claims the names first, then writes the tenant's own list. */
export class DomainRegistry {
  constructor(private readonly store: Store) {}

  /**
   * Registers domains for a tenant: all, or none. Those that exist with the same flags stay as they are.
   *
   * @throws {InputError} a name cannot be an accepted domain.
   * @throws {NotFoundError} no such tenant.
   * @throws {RefusedError} another tenant owns a name, or it is there with other flags.
   */
  async add(
    tenant: string,
    domains: readonly DomainEntry[],
    by: string,
  ): Promise<{ added: string[]; unchanged: string[] }> {
    const entries = readBatch(domains)
    await assertTenantExists(this.store, tenant)
    const present = await readEntries(
      this.store,
      tenant,
      entries.map(({ domain }) => domain),
    )
    entries.forEach((entry, at) => {
      const there = present[at]
      if (there && !sameFlags(there, entry))
        throw otherFlags(tenant, { ...there, domain: entry.domain })
    })
    const { added, unchanged } = await this.write(tenant, entries, by, 'add')
    return { added, unchanged }
  }

  /**
   * Registers domains, or changes their flags and `addedBy` in place: all, or none.
   *
   * @throws as {@link add}, but never for other flags.
   */
  async put(tenant: string, domains: readonly DomainEntry[], by: string): Promise<DomainsPut> {
    const entries = readBatch(domains)
    await assertTenantExists(this.store, tenant)
    return this.write(tenant, entries, by, 'set')
  }

  /**
   * Removes accepted domains of a tenant, and frees their names: all, or none.
   *
   * @throws {NotFoundError} no such tenant, or one of them is not there.
   */
  async remove(tenant: string, domains: readonly string[]): Promise<void> {
    const names = [...new Set(domains.map(typedDomain))]
    await assertTenantExists(this.store, tenant)
    const entries = await readEntries(this.store, tenant, names)
    const absent = names.filter((_, at) => entries[at] === undefined)
    // An interrupted removal leaves a claim without an entry: repeating it finishes it.
    const claims = await readClaims(this.store, absent)
    const missing = absent.filter((_, at) => claims[at]?.tenant !== tenant)
    if (missing.length > 0) {
      throw new NotFoundError(
        `${list(missing)}: not registered for ${tenant}; tenantctl domain list ${tenant} shows what is`,
      )
    }
    await removeEntries(this.store, tenant, names, 'any')
    await reconcileClaims(this.store, tenant, names)
  }

  /** See {@link moveDomain}. */
  move(domain: string, to: string, by: string): Promise<{ from: string | undefined }> {
    return moveDomain(this.store, typedDomain(domain), to, by)
  }

  /**
   * A tenant's accepted domains by name.
   *
   * @throws {NotFoundError} no such tenant.
   */
  async list(tenant: string): Promise<AcceptedDomain[]> {
    await assertTenantExists(this.store, tenant)
    const entries = [...(await readAllEntries(this.store, tenant)).values()]
    return entries.sort((a, b) => (a.domain < b.domain ? -1 : 1))
  }

  private async write(
    tenant: string,
    entries: readonly DomainEntry[],
    by: string,
    how: 'add' | 'set',
  ): Promise<DomainsPut> {
    const ordered = inClaimOrder(entries, ({ domain }) => domain)
    const claimed: string[] = []
    const put: DomainsPut = { added: [], updated: [], unchanged: [] }
    try {
      for (const batch of batchesOf(
        ordered.filter(({ shared }) => !shared),
        BATCH,
      )) {
        const obstacles = await claim(this.store, tenant, batch)
        if (obstacles.length > 0) throw ownedByAnother(obstacles)
        claimed.push(...batch.map(({ domain }) => domain))
      }
      for (const batch of batchesOf(ordered, BATCH))
        await this.putBatch(tenant, batch, by, how, put)
      const lost = await reconcileClaims(
        this.store,
        tenant,
        ordered.map(({ domain }) => domain),
      )
      if (lost.length > 0) throw ownedByAnother(lost)
    } catch (error) {
      await this.undo(tenant, put.added, claimed, error)
      throw error
    }
    return put
  }

  private async putBatch(
    tenant: string,
    batch: readonly DomainEntry[],
    by: string,
    how: 'add' | 'set',
    put: DomainsPut,
  ): Promise<void> {
    const results = await putEntries(this.store, tenant, batch, by, how)
    if (results === undefined) throw noSuchTenant(tenant)
    const other = batch.find((_, at) => results[at] === 'other')
    if (other) {
      const [there] = await readEntries(this.store, tenant, [other.domain])
      throw otherFlags(tenant, { ...(there ?? other), domain: other.domain })
    }
    batch.forEach(({ domain }, at) => {
      const result = results[at]
      if (result === 'added') put.added.push(domain)
      else if (result === 'updated') put.updated.push(domain)
      else put.unchanged.push(domain)
    })
  }

  /** Removes what a refused call has written. */
  private async undo(
    tenant: string,
    added: readonly string[],
    claimed: readonly string[],
    cause: unknown,
  ): Promise<void> {
    try {
      await removeEntries(this.store, tenant, added, 'any')
      await reconcileClaims(this.store, tenant, [...new Set([...added, ...claimed])])
    } catch (error) {
      // Redis went away, which the first error says. Repeating the call completes it.
      if (cause instanceof UserError) throw error
    }
  }
}

/** Canonical names without doubles. @throws {InputError} a name cannot be an accepted domain. */
function readBatch(domains: readonly DomainEntry[]): DomainEntry[] {
  const entries = new Map<string, DomainEntry>()
  for (const { domain: input, subdomains, shared } of domains) {
    const domain = acceptedDomainName(input, { subdomains, shared })
    const earlier = entries.get(domain)
    if (earlier && !sameFlags(earlier, { subdomains, shared })) {
      throw new InputError(`${domain} is given twice, with different flags: keep one of them`)
    }
    entries.set(domain, { domain, subdomains, shared })
  }
  return [...entries.values()]
}

function sameFlags(
  a: { subdomains: boolean; shared: boolean },
  b: { subdomains: boolean; shared: boolean },
): boolean {
  return a.subdomains === b.subdomains && a.shared === b.shared
}

function otherFlags(tenant: string, there: DomainEntry): RefusedError {
  const flags = [
    there.subdomains ? 'with' : 'without',
    ' --subdomains',
    there.shared ? ' --shared' : '',
  ]
  return new RefusedError(
    `${there.domain} is registered for ${tenant} ${flags.join('')}: to change that, remove it (tenantctl domain remove ${tenant} ${there.domain}) and add it again`,
  )
}

function list(names: readonly string[]): string {
  const named = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${named} and ${names.length - 5} more` : named
}
