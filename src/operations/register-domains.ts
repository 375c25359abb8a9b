import { RefusedError } from '../base/errors'
import type { Work } from '../base/work'
import { readEntries, type DomainEntry } from '../registry/domain-entries'
import { DomainRegistry } from '../registry/domain-registry'
import { NamesElsewhere } from '../registry/settings'
import type { Store } from '../store/store'
import { isMailboxProvider } from '../names/mailbox-providers'

/** How to register domains. */
export interface RegisterOptions {
  /** Who does it. */
  readonly by: string
  /** Also accepts domains of mailbox providers, where anybody can get an address. */
  readonly anyProvider: boolean
  /** Names that are refused as domains of mailbox providers are: `[registry] never_register_file`. */
  readonly neverRegister: ReadonlySet<string>
}

/**
 * Registers accepted domains of a tenant: all of them, or none.
 *
 * @throws {InterruptedError} it was stopped; none was registered.
 * @throws {NotFoundError} no such tenant.
 * @throws {RefusedError} another tenant owns one, it is registered with other flags, or belongs to a mailbox provider.
 */
export async function registerDomains(
  store: Store,
  tenant: string,
  domains: readonly DomainEntry[],
  { by, anyProvider, neverRegister }: RegisterOptions,
  work: Work = {},
): ReturnType<DomainRegistry['add']> {
  if (!anyProvider) {
    if (neverRegister instanceof NamesElsewhere) throw listElsewhere(neverRegister)
    await assertNoProvider(store, tenant, domains, neverRegister)
  }
  return new DomainRegistry(store).add(tenant, domains, by, work)
}

/** @throws {RefusedError} one of them belongs to a mailbox provider and is not registered yet. */
async function assertNoProvider(
  store: Store,
  tenant: string,
  domains: readonly DomainEntry[],
  neverRegister: ReadonlySet<string>,
): Promise<void> {
  const providers = domains
    .map(({ domain }) => domain)
    .filter((domain) => isMailboxProvider(domain, neverRegister))
  const entries = await readEntries(store, tenant, providers)
  const refused = providers.filter((_domain, at) => entries[at] === undefined)
  if (refused.length === 0) return
  throw new RefusedError(
    `${refused.join(', ')}: anybody can get an address at a mailbox provider, and all mail that claims to be from there would pass uncounted; nothing was added. To register it anyway, add --force`,
  )
}

function listElsewhere({ text }: NamesElsewhere): RefusedError {
  return new RefusedError(
    `the processes have a list of names that are never registered (${text}), and it is not here; nothing was added. Name the same file in [registry] never_register_file of this ini file, or run tenantctl domain add on a host of Haraka`,
  )
}
