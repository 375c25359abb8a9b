import { UserError } from '../base/errors'
import { acceptedDomainName } from '../names/accepted'
import { coveringDomain } from '../names/covering'
import { DAY } from '../reporting/calendar'
import { ReportReader } from '../reporting/reader'
import { Restrictions } from '../allowance/restriction'
import { mapLimited } from '../base/limiter'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { findObstacles } from '../registry/claims'
import { ConnectorRegistry } from '../registry/connector-registry'
import { DomainRegistry } from '../registry/domain-registry'
import type { AcceptedDomain } from '../mail/tenant'
import { candidatesIn } from './gather'
import type { DnsFacts } from './dns-facts'
import { isMailboxProvider } from '../names/mailbox-providers'
import type { Candidate } from './candidate'
import { rank, type Ranked } from './rank'

/** How many candidates DNS is asked about: those with the most recipients. */
export const MOST_LOOKED_UP = 100
/** How many accepted domains they are compared with in DNS: those registered first. */
const MOST_ACCEPTED = 10
const AT_ONCE = 8

export type Never = Candidate & { readonly why: string }

/** What DNS says about a domain; `undefined`: it was not asked. */
export type AskDns = (domain: string) => Promise<DnsFacts | undefined>

/** The unregistered domains of a tenant, ranked. */
export interface Suggestion {
  /** Start of the reports that were read. ms, server time */
  readonly from: number
  /** Last restriction in ms, server time; `undefined`: there was none. */
  readonly trip: number | undefined
  readonly ranked: readonly Ranked[]
  /** Domains that must not be registered, with the reason. */
  readonly never: readonly Never[]
  /** Estimate of the domains that got no report row of their own. */
  readonly others: number
  /** How many domains DNS was asked about. */
  readonly lookedUp: number
}

/**
 * Ranks the unregistered domains in a tenant's reports by how probably it owns them. Writes nothing.
 *
 * @param days how far back reports are read.
 * @param dns `undefined`: DNS is not asked, and the ranking is by name and mail alone.
 * @param neverRegister names that are refused as domains of mailbox providers are.
 * @param only the one domain to rank; absent: all.
 * @throws {NotFoundError} no such tenant; what ioredis throws where Redis gives no answer.
 */
export async function suggestDomains(
  store: Store,
  tenant: string,
  days: number,
  dns: AskDns | undefined,
  neverRegister: ReadonlySet<string>,
  only?: string,
): Promise<Suggestion> {
  const domains = await new DomainRegistry(store).list(tenant)
  const connectors = await new ConnectorRegistry(store).list(tenant)
  const now = await serverTime(store.client)
  const from = now - days * DAY
  const reader = new ReportReader(store)
  const found = await candidatesIn(reader.rowsOfEach(tenant, from, now + 1, 'day'))
  const isCovered = coverage(domains)
  const all = found.filter(({ domain }) => !isCovered(domain) && (only ?? domain) === domain)
  const never = await findNever(store, tenant, all, neverRegister)
  const excluded = new Set(never.map(({ domain }) => domain))
  const candidates = all.filter(({ domain }) => !excluded.has(domain))

  const owned = domains.filter(({ shared }) => !shared)
  const first = owned.toSorted((a, b) => a.addedAt - b.addedAt).slice(0, MOST_ACCEPTED)
  const asked = dns ? candidates.slice(0, MOST_LOOKED_UP) : []
  const names = [...first, ...asked].map(({ domain }) => domain)
  const facts = new Map<string, DnsFacts>()
  if (dns && asked.length > 0) {
    await mapLimited(names, AT_ONCE, async (domain) => {
      const found = await dns(domain)
      if (found) facts.set(domain, found)
    })
  }
  const trip = await lastTrip(store, tenant)
  return {
    ...{ from, trip, never },
    ranked: rank(
      candidates.map((each) => ({ ...each, dns: facts.get(each.domain) })),
      {
        accepted: owned.map(({ domain }) => domain),
        acceptedDns: new Map(first.flatMap(({ domain }) => entry(domain, facts))),
        networks: connectors.flatMap(({ ip }) => ip),
        ...{ trip, now },
      },
    ),
    others: await reader.others(tenant, from, now + 1, 'day'),
    lookedUp: asked.length,
  }
}

function entry(domain: string, facts: ReadonlyMap<string, DnsFacts>): [string, DnsFacts][] {
  const found = facts.get(domain)
  return found ? [[domain, found]] : []
}

function coverage(accepted: readonly AcceptedDomain[]): (domain: string) => boolean {
  const list = new Map(accepted.map((each) => [each.domain, each]))
  return (domain) => coveringDomain(list, domain) !== undefined
}

/** Mailbox providers, domains that another tenant owns, and names that cannot be registered. */
async function findNever(
  store: Store,
  tenant: string,
  candidates: readonly Candidate[],
  neverRegister: ReadonlySet<string>,
): Promise<Never[]> {
  const why = new Map<string, string>()
  for (const { domain } of candidates) {
    if (isMailboxProvider(domain, neverRegister)) {
      why.set(domain, 'a mailbox provider: anybody can get an address there')
    } else {
      const refusal = refusalOf(domain)
      if (refusal !== undefined) why.set(domain, refusal)
    }
  }
  const claims = candidates
    .filter(({ domain }) => !why.has(domain))
    .map(({ domain }) => ({ domain, subdomains: false }))
  for (const { domain, owner } of await findObstacles(store, tenant, claims)) {
    why.set(domain, `tenant ${owner} owns it`)
  }
  return candidates.flatMap((each) => {
    const reason = why.get(each.domain)
    return reason === undefined ? [] : [{ ...each, why: reason }]
  })
}

/** Why the registry would refuse it; `undefined`: it would not. */
function refusalOf(domain: string): string | undefined {
  try {
    acceptedDomainName(domain, { subdomains: false, shared: false })
    return undefined
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
}

/** When the tenant was last restricted: by its restriction if it still has one, else by its last case. */
async function lastTrip(store: Store, tenant: string): Promise<number | undefined> {
  const { client, keys } = store
  const restriction = await new Restrictions(store).get(tenant)
  const cases = Number((await client.hget(keys.tenant(tenant), 'cases')) ?? 0)
  const opened =
    cases > 0 ? Number((await client.hget(keys.caseOf(tenant, cases), 'opened')) ?? 0) : 0
  const last = Math.max(restriction?.since ?? 0, opened)
  return last === 0 ? undefined : last
}
