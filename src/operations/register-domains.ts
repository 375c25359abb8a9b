import { tenantctl } from '../base/command-line'
import { RefusedError } from '../base/errors'
import type { Work } from '../base/work'
import { addEntry } from '../records/audit-trail'
import { readEntries, type DomainEntry } from '../registry/domain-entries'
import { DomainRegistry } from '../registry/domain-registry'
import { NamesElsewhere } from '../registry/settings'
import type { Store } from '../store/store'
import { isMailboxProvider } from '../names/mailbox-providers'
import type { Ranked } from '../suggest/rank'
import { suggestDomains, type AskDns } from '../suggest/suggest'

/** How to register domains. */
export interface RegisterOptions {
  /** Who does it. */
  readonly by: string
  /** Also accepts domains of mailbox providers, where anybody can get an address. */
  readonly anyProvider: boolean
  /** Names that are refused as domains of mailbox providers are: `[registry] never_register_file`. */
  readonly neverRegister: ReadonlySet<string>
  /** Kept in the audit trail: why the tenant owns what `suggest` does not rank as its own. */
  readonly reason?: string
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
  { by, anyProvider, neverRegister, reason }: RegisterOptions,
  work: Work = {},
): ReturnType<DomainRegistry['add']> {
  if (!anyProvider) {
    if (neverRegister instanceof NamesElsewhere) throw listElsewhere(neverRegister)
    await assertNoProvider(store, tenant, domains, neverRegister)
  }
  const result = await new DomainRegistry(store).add(tenant, domains, by, work)
  if (reason !== undefined && result.added.length > 0) {
    const to = `${result.added.join(', ')}: ${reason}`
    await addEntry(store, store.keys.audit(tenant), {
      subject: tenant,
      what: 'domains explained',
      to,
    })
  }
  return result
}

/**
 * Registers domains of a tenant that `suggest` ranks as its own at this moment: all of them, or none.
 *
 * @param days how far back reports are read.
 * @param dns what the ranking knows of DNS.
 * @throws {RefusedError} one is not ranked as own.   @throws as {@link registerDomains}.
 */
export async function registerOwnDomains(
  store: Store,
  tenant: string,
  domains: readonly Omit<DomainEntry, 'shared'>[],
  { days, dns, ...options }: Pick<RegisterOptions, 'by' | 'neverRegister'> & OwnOptions,
): ReturnType<DomainRegistry['add']> {
  const { ranked } = await suggestDomains(store, tenant, days, dns, options.neverRegister)
  const own = new Set(ranked.flatMap((each) => (each.class === 'own' ? [each.domain] : [])))
  const others = domains.map(({ domain }) => domain).filter((domain) => !own.has(domain))
  if (others.length > 0) {
    throw new RefusedError(
      `${others.join(', ')}: not ranked as own by ${tenantctl('suggest', tenant)}; nothing was added. An admin may register it, with a reason`,
    )
  }
  const entries = domains.map((each) => ({ ...each, shared: false }))
  return registerDomains(store, tenant, entries, { ...options, anyProvider: false })
}

/**
 * What `suggest` says about one unregistered domain of a tenant, by DNS too. Writes nothing.
 *
 * @param settings as {@link registerOwnDomains}; DNS is asked.
 * @throws {RefusedError} no report names it, or it must not be registered.
 */
export async function rankByDns(
  store: Store,
  tenant: string,
  domain: string,
  { days, dns, neverRegister }: Pick<RegisterOptions, 'neverRegister'> & OwnOptions,
): Promise<Ranked> {
  const { ranked } = await suggestDomains(store, tenant, days, dns, neverRegister, domain)
  if (ranked[0]) return ranked[0]
  throw new RefusedError(`${domain} is not among the domains that can be registered for ${tenant}`)
}

/** How it is found out which domains are a tenant's own. */
interface OwnOptions {
  readonly days: number
  readonly dns: AskDns | undefined
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
