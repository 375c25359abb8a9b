import { coveringDomain } from '../names/covering'
import { parentsOf } from '../names/domain'
import { batchesOf } from '../base/lists'
import { scanHash } from '../store/scan'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { randomToken } from '../records/token'
import { BATCH } from './owners'
import { formatFlags, parseFlags, unpackDomain, type DomainFlags } from './formats'
import type { AcceptedDomain } from '../mail/tenant'

const PUT = readScript(__dirname, 'domains_put')
const REMOVE = readScript(__dirname, 'domains_remove')
const SCAN_PIECE = 1000

/** A name with its flags. */
export interface DomainEntry extends DomainFlags {
  readonly domain: string
}

/**
 * `add` does not change existing entries; `set` replaces their flags and `by`; `change` does so where the flags differ, and
 * adds none.
 */
export type PutMode = 'add' | 'set' | 'change'

/**
 * `other` (`add`): it exists with other flags; `gone` (`change`): it does not exist. Nothing of the call was written then.
 */
export type PutResult = 'added' | 'updated' | 'same' | 'other' | 'gone'

/** The flags of these names in the tenant's own list; `undefined`: not in it. */
export async function readEntries(
  store: Store,
  tenant: string,
  domains: readonly string[],
): Promise<(DomainFlags | undefined)[]> {
  const entries: (DomainFlags | undefined)[] = []
  for (const batch of batchesOf(domains, BATCH)) {
    const packed = await store.client.hmget(store.keys.domains(tenant), ...batch)
    for (const each of packed) entries.push(each === null ? undefined : parseFlags(each))
  }
  return entries
}

/** Whether a name is one of the tenant's own, or lies below one of them that counts with its subdomains. */
export async function acceptsDomain(
  store: Store,
  tenant: string,
  domain: string,
): Promise<boolean> {
  const names = [domain, ...parentsOf(domain)]
  const entries = await readEntries(store, tenant, names)
  const byName = new Map(names.flatMap((name, at) => (entries[at] ? [[name, entries[at]]] : [])))
  return coveringDomain(byName, domain) !== undefined
}

/** The tenant's whole list by name, read in batches so that 100,000 of them do not block Redis. */
export async function readAllEntries(
  store: Store,
  tenant: string,
): Promise<Map<string, AcceptedDomain>> {
  const entries = new Map<string, AcceptedDomain>()
  await scanHash(store, store.keys.domains(tenant), SCAN_PIECE, (domain, packed) =>
    entries.set(domain, unpackDomain(domain, packed)),
  )
  return entries
}

/**
 * Writes entries into the tenant's own list. The caller claims the names.
 *
 * @param entries at most {@link BATCH}.
 * @returns one result for each; `undefined`: there is no such tenant.
 */
export async function putEntries(
  store: Store,
  tenant: string,
  entries: readonly DomainEntry[],
  by: string,
  how: PutMode,
): Promise<PutResult[] | undefined> {
  const { keys } = store
  const args = entries.flatMap((entry) => [entry.domain, formatFlags(entry)])
  const reply = await store.run(
    PUT,
    [keys.tenant(tenant), keys.domains(tenant), keys.audit(tenant)],
    [randomToken(), by, how, store.actor, ...args],
  )
  return (reply as PutResult[] | null) ?? undefined
}

/**
 * Removes names from the tenant's own list, any number of them. The caller frees the names.
 *
 * @param which `owned` leaves shared ones.
 * @returns those that were there.
 */
export async function removeEntries(
  store: Store,
  tenant: string,
  domains: readonly string[],
  which: 'any' | 'owned',
): Promise<string[]> {
  const { keys } = store
  const removed: string[] = []
  for (const batch of batchesOf(domains, BATCH)) {
    const reply = await store.run(
      REMOVE,
      [keys.tenant(tenant), keys.domains(tenant), keys.audit(tenant)],
      [randomToken(), which, store.actor, ...batch],
    )
    removed.push(...(reply as string[]))
  }
  return removed
}
