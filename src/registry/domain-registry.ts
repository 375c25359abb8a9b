import { tenantctl } from '../base/command-line'
import { InputError, noSuchTenant, NotFoundError, RefusedError, UserError } from '../base/errors'
import { acceptedDomainName } from '../names/accepted'
import { typedDomain } from '../names/typed-domain'
import { batchesOf } from '../base/lists'
import { InterruptedError, isStopped, type Work } from '../base/work'
import type { Store } from '../store/store'
import { claim, inClaimOrder } from './claims'
import {
  putEntries,
  readAllEntries,
  readEntries,
  removeEntries,
  type DomainEntry,
  type PutMode,
} from './domain-entries'
import { moveDomain } from './domain-move'
import { ownedByAnother, BATCH, readClaims } from './owners'
import { leaveNames, newLease } from './pending'
import { reconcileClaims } from './reconcile'
import { assertTenantExists } from './tenant-registry'
import type { AcceptedDomain } from '../mail/tenant'

/** Result for each accepted domain of a call. */
export interface DomainsPut {
  readonly added: string[]
  readonly updated: string[]
  readonly unchanged: string[]
}

/**
 * Writes accepted domains: claims the names first, then writes the tenant's own list.
 *
 * A call that is stopped ends with an {@link InterruptedError} and without having changed anything, or goes on to its end if
 * the list has been changed already. One that is killed leaves nothing that keeps others from a name for longer than a
 * minute, and the same call completes it.
 */
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
    work: Work = {},
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
      if (there && !sameFlags(there, entry)) {
        throw otherFlags(tenant, { ...there, domain: entry.domain }, entry)
      }
    })
    const { added, unchanged } = await this.write(tenant, entries, by, 'add', work)
    return { added, unchanged }
  }

  /**
   * Registers domains, or changes their flags and `addedBy` in place: all, or none.
   *
   * @throws as {@link add}, but never for other flags.
   */
  async put(
    tenant: string,
    domains: readonly DomainEntry[],
    by: string,
    work: Work = {},
  ): Promise<DomainsPut> {
    const entries = readBatch(domains)
    await assertTenantExists(this.store, tenant)
    return this.write(tenant, entries, by, 'set', work)
  }

  /**
   * Changes in place whether names below accepted domains of a tenant count, too: of all of them, or none. No mail finds
   * them missing in between.
   *
   * @throws {InputError} a name cannot be an accepted domain with subdomains.
   * @throws {NotFoundError} no such tenant, or one of them is not there.
   * @throws {RefusedError} another tenant owns a name below.
   */
  async setSubdomains(
    tenant: string,
    domains: readonly string[],
    subdomains: boolean,
    by: string,
    work: Work = {},
  ): Promise<{ changed: string[]; unchanged: string[] }> {
    const names = [...new Set(domains.map(typedDomain))]
    await assertTenantExists(this.store, tenant)
    const there = await readEntries(this.store, tenant, names)
    const absent = names.filter((_, at) => there[at] === undefined)
    if (absent.length > 0) throw notRegistered(tenant, absent)
    // Also those that are as wanted: an interrupted call may have left their claims.
    const entries = names.map((domain, at) => ({ ...there[at]!, domain, subdomains }))
    const { updated, unchanged } = await this.write(tenant, readBatch(entries), by, 'change', work)
    return { changed: updated, unchanged }
  }

  /**
   * Removes accepted domains of a tenant, and frees their names: all, or none.
   *
   * @throws {NotFoundError} no such tenant, or one of them is not there.
   */
  async remove(tenant: string, domains: readonly string[], work: Work = {}): Promise<void> {
    const names = [...new Set(domains.map(typedDomain))]
    await assertTenantExists(this.store, tenant)
    await this.assertRemovable(tenant, names)
    if (isStopped(work)) throw stopped(tenant)
    // All entries go before the first claim does: as long as a claim is there, the same call can complete this one.
    await leaveNames(this.store, tenant, names)
    // Half of the work is to remove entries, the other half to free names.
    const tell = (done: number): void => work.progress?.(Math.floor(done / 2), names.length)
    let removed = 0
    for (const batch of batchesOf(names, BATCH)) {
      await removeEntries(this.store, tenant, batch, 'any')
      removed += batch.length
      tell(removed)
    }
    await reconcileClaims(this.store, tenant, names, { progress: (freed) => tell(removed + freed) })
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

  /** @throws {NotFoundError} one of them is not there, and not because an earlier removal was interrupted. */
  private async assertRemovable(tenant: string, names: readonly string[]): Promise<void> {
    const entries = await readEntries(this.store, tenant, names)
    const absent = names.filter((_, at) => entries[at] === undefined)
    const claims = await readClaims(this.store, absent)
    const missing = absent.filter((_, at) => claims[at]?.tenant !== tenant)
    // It was freeing the last names.
    const isEnding = absent.length === names.length && missing.length < names.length
    if (missing.length > 0 && !isEnding) throw notRegistered(tenant, missing)
  }

  private async write(
    tenant: string,
    entries: readonly DomainEntry[],
    by: string,
    how: PutMode,
    work: Work,
  ): Promise<DomainsPut> {
    const ordered = inClaimOrder(entries, ({ domain }) => domain)
    const owned = ordered.filter(({ shared }) => !shared)
    const sharedOnes = ordered.filter(({ shared }) => shared).map(({ domain }) => domain)
    const lease = newLease(tenant)
    const steps = owned.length + ordered.length
    const tell = (done: number): void =>
      work.progress?.(Math.floor((ordered.length * done) / steps), ordered.length)
    const claimed: string[] = []
    const put: DomainsPut = { added: [], updated: [], unchanged: [] }
    try {
      for (const batch of batchesOf(owned, BATCH)) {
        if (isStopped(work)) throw stopped(tenant)
        const obstacles = await claim(this.store, tenant, batch, lease)
        if (obstacles.length > 0) throw ownedByAnother(obstacles)
        claimed.push(...batch.map(({ domain }) => domain))
        tell(claimed.length)
      }
      if (isStopped(work)) throw stopped(tenant)
      // What is shared from now on gives up its name.
      if (how !== 'add') await leaveNames(this.store, tenant, sharedOnes, lease)
      let written = 0
      for (const batch of batchesOf(ordered, BATCH)) {
        await this.putBatch(tenant, batch, by, how, put)
        written += batch.length
        const lost = await reconcileClaims(
          this.store,
          tenant,
          batch.map(({ domain }) => domain),
          { lease, isLast: written === ordered.length },
        )
        if (lost.length > 0) throw ownedByAnother(lost)
        tell(claimed.length + written)
      }
    } catch (error) {
      await this.undo(tenant, put.added, claimed, lease, error)
      throw error
    }
    return put
  }

  private async putBatch(
    tenant: string,
    batch: readonly DomainEntry[],
    by: string,
    how: PutMode,
    put: DomainsPut,
  ): Promise<void> {
    const results = await putEntries(this.store, tenant, batch, by, how)
    if (results === undefined) throw noSuchTenant(tenant)
    const gone = batch.filter((_, at) => results[at] === 'gone')
    if (gone.length > 0) {
      throw notRegistered(
        tenant,
        gone.map(({ domain }) => domain),
      )
    }
    const other = batch.find((_, at) => results[at] === 'other')
    if (other) {
      const [there] = await readEntries(this.store, tenant, [other.domain])
      throw otherFlags(tenant, { ...(there ?? other), domain: other.domain }, other)
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
    lease: string,
    cause: unknown,
  ): Promise<void> {
    try {
      await removeEntries(this.store, tenant, added, 'any')
      const written = [...new Set([...added, ...claimed])]
      await reconcileClaims(this.store, tenant, written, { lease, isLast: true })
    } catch (error) {
      // Redis went away, which the first error says. The claims yield when the lease is over; repeating the call completes it.
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

function otherFlags(tenant: string, there: DomainEntry, wanted: DomainEntry): RefusedError {
  const flags = [
    there.subdomains ? 'with' : 'without',
    ' --subdomains',
    there.shared ? ' --shared' : '',
  ]
  const { domain } = there
  const change =
    there.shared === wanted.shared
      ? `change that in place: ${tenantctl('domain', 'set', tenant, domain, wanted.subdomains ? '--subdomains' : '--no-subdomains')}`
      : `to change that, remove it (${tenantctl('domain', 'remove', tenant, domain)}) and add it again`
  return new RefusedError(`${domain} is registered for ${tenant} ${flags.join('')}: ${change}`)
}

function notRegistered(tenant: string, names: readonly string[]): NotFoundError {
  return new NotFoundError(
    `${list(names)}: not registered for ${tenant}; ${tenantctl('domain', 'list', tenant)} shows what is`,
  )
}

function stopped(tenant: string): InterruptedError {
  return new InterruptedError(
    `stopped, and no domain of ${tenant} was changed: run the same command again to go on`,
  )
}

function list(names: readonly string[]): string {
  const named = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${named} and ${names.length - 5} more` : named
}
