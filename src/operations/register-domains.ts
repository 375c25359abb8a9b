import { RefusedError } from '../base/errors'
import { readEntries, type DomainEntry } from '../registry/domain-entries'
import { DomainRegistry } from '../registry/domain-registry'
import type { Store } from '../store/store'
import { isMailboxProvider } from '../suggest/mailbox-providers'

/** How domains are to be registered. */
export interface RegisterOptions {
  /** Who does it. */
  readonly by: string
  /** Takes domains of mailbox providers, too, where anybody can have an address. */
  readonly anyProvider: boolean
}

/**
 * Registers accepted domains of a tenant: all of them, or none.
 *
 * @throws {NotFoundError} no such tenant.
 * @throws {RefusedError} another tenant owns one of them, it is there with other flags, or a mailbox provider's.
 */
export async function registerDomains(
  store: Store,
  tenant: string,
  domains: readonly DomainEntry[],
  { by, anyProvider }: RegisterOptions,
): ReturnType<DomainRegistry['add']> {
  if (!anyProvider) await assertNoProvider(store, tenant, domains)
  return new DomainRegistry(store).add(tenant, domains, by)
}

/** @throws {RefusedError} one of them is a mailbox provider's, and not registered yet. */
async function assertNoProvider(
  store: Store,
  tenant: string,
  domains: readonly DomainEntry[],
): Promise<void> {
  const providers = domains.map(({ domain }) => domain).filter(isMailboxProvider)
  const entries = await readEntries(store, tenant, providers)
  const refused = providers.filter((_domain, at) => entries[at] === undefined)
  if (refused.length === 0) return
  throw new RefusedError(
    `${refused.join(', ')}: anybody can have an address at a mailbox provider, and all mail that claims to be from there would pass unmetered; nothing was added. If that is meant, add --force`,
  )
}
