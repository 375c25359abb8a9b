import {
  connectorBlocked,
  losesIdentity,
  sameIdentities,
  type ConnectorPut,
} from '../registry/connector-registry'
import { readAllEntries, type DomainEntry } from '../registry/domain-entries'
import { connectorId } from '../mail/identities'
import { readClaims } from '../registry/owners'
import { IDENTITY_KINDS, identityFields } from '../registry/packing'
import type { Store } from '../store/store'
import { TenantRegistry, type TenantSettings } from '../registry/tenant-registry'
import type { FileConnector, FileTenant } from './tenants-file'
import type { AcceptedDomain, Connector, Identities, Tenant } from '../mail/tenant'

/** What applying a file does to one of its tenants. */
export interface TenantPlan {
  readonly tenant: FileTenant
  readonly isNew: boolean
  /** `undefined`: nothing to set. */
  readonly settings: TenantSettings | undefined
  /** Those that are new or change. */
  readonly domains: readonly DomainEntry[]
  readonly connectors: readonly ConnectorPut[]
  /** What the file of this id no longer holds; with `prune` only. */
  readonly domainRemovals: readonly string[]
  readonly connectorRemovals: readonly string[]
  /** The same for people: what is added, changed, as it was (how many), and what the file no longer holds. */
  readonly added: readonly string[]
  readonly updated: readonly string[]
  readonly unchanged: number
  readonly left: readonly string[]
  /** What was to be pruned and must stay, with the reason. */
  readonly refused: readonly string[]
  /** Names of blocked connectors that would lose an identity: they stand in the way of the whole plan. */
  readonly stuck: readonly string[]
  /** What the tenant has afterwards. */
  readonly domainsAfter: ReadonlyMap<string, DomainEntry>
  /** Fields as `identityFields` writes them. */
  readonly identitiesAfter: ReadonlySet<string>
}

/** Who applies what, to compare with. */
export interface PlanOptions {
  /** What marks things as coming from this file. */
  readonly source: string
  /** Whether what the file no longer holds is to go. */
  readonly prune: boolean
}

/**
 * Compares one tenant of the file with what is registered. Writes nothing.
 *
 * @param connectors those that the tenant has.
 */
export async function planTenant(
  store: Store,
  tenant: FileTenant,
  connectors: readonly Connector[],
  options: PlanOptions,
): Promise<TenantPlan> {
  const there = await new TenantRegistry(store).get(tenant.id)
  const entries = await readAllEntries(store, tenant.id)
  const names = tenant.domains.map(({ domain }) => domain)
  const claims = await readClaims(store, names)
  const tally: Tally = { added: [], updated: [], unchanged: 0, left: [] }
  return {
    tenant,
    isNew: there === undefined,
    ...tally,
    settings: planSettings(tenant, there, options, tally),
    ...planDomains(tenant, entries, claims, options, tally),
    ...planConnectors(tenant, connectors, options, tally),
    unchanged: tally.unchanged,
  }
}

interface Tally {
  readonly added: string[]
  readonly updated: string[]
  unchanged: number
  readonly left: string[]
}

type ChangeKind = 'added' | 'updated' | 'unchanged'

function note(tally: Tally, what: string, change: ChangeKind): void {
  if (change === 'unchanged') tally.unchanged++
  else tally[change].push(what)
}

function changeOf(there: unknown, same: boolean): ChangeKind {
  if (there === undefined) return 'added'
  return same ? 'unchanged' : 'updated'
}

function planSettings(
  { id, settings }: FileTenant,
  there: Tenant | undefined,
  { source }: PlanOptions,
  tally: Tally,
): TenantSettings | undefined {
  const now: Record<string, unknown> = { ...there }
  const same = Object.entries(settings).every(
    ([field, value]) => (value ?? undefined) === now[field],
  )
  const change = changeOf(there, same && there?.source === source)
  note(tally, `tenant ${id}`, change)
  return change === 'unchanged' ? undefined : settings
}

function planDomains(
  { id, domains }: FileTenant,
  entries: ReadonlyMap<string, AcceptedDomain>,
  claims: Awaited<ReturnType<typeof readClaims>>,
  { source, prune }: PlanOptions,
  tally: Tally,
): Pick<TenantPlan, 'domains' | 'domainRemovals' | 'domainsAfter'> {
  const puts: DomainEntry[] = []
  const after = new Map<string, DomainEntry>(entries)
  for (const [at, { domain, subdomains, shared }] of domains.entries()) {
    const there = entries.get(domain)
    const claim = claims[at]?.tenant === id ? claims[at] : undefined
    // The claim too: what was cut short between the two is completed.
    const same =
      there?.subdomains === subdomains &&
      there.shared === shared &&
      there.addedBy === source &&
      claim?.subdomains === (shared ? undefined : subdomains)
    const change = changeOf(there, same)
    note(tally, `domain ${domain} of ${id}`, change)
    after.set(domain, { domain, subdomains, shared })
    if (change !== 'unchanged') puts.push({ domain, subdomains, shared })
  }
  const held = new Set(domains.map(({ domain }) => domain))
  const left = [...entries.values()]
    .filter(({ domain, addedBy }) => addedBy === source && !held.has(domain))
    .map(({ domain }) => domain)
  tally.left.push(...left.map((domain) => `domain ${domain} of ${id}`))
  if (prune) for (const domain of left) after.delete(domain)
  return { domains: puts, domainRemovals: prune ? left : [], domainsAfter: after }
}

function planConnectors(
  tenant: FileTenant,
  connectors: readonly Connector[],
  { source, prune }: PlanOptions,
  tally: Tally,
): Pick<TenantPlan, 'connectors' | 'connectorRemovals' | 'identitiesAfter' | 'refused' | 'stuck'> {
  const puts: ConnectorPut[] = []
  const stuck: string[] = []
  const there = new Map(connectors.map((each) => [each.name, each]))
  const after = new Map<string, Identities>(there)
  for (const wanted of tenant.connectors) {
    const id = connectorId(tenant.id, wanted.name)
    const now = there.get(wanted.name)
    const dropped = now?.addedBy === source ? unmentioned(now, wanted) : []
    tally.left.push(...dropped.map((kind) => `${kind} of connector ${id}`))
    const identities = mergeIdentities(prune && dropped.length > 0 ? undefined : now, wanted)
    after.set(wanted.name, identities)
    const put = { name: wanted.name, identities, enabled: wanted.enabled }
    const change = changeOf(now, now !== undefined && sameConnector(now, put, source))
    note(tally, `connector ${id}`, change)
    if (change !== 'unchanged') puts.push(put)
    if (now?.blocked && losesIdentity(now, identities)) stuck.push(wanted.name)
  }
  const held = new Set(tenant.connectors.map(({ name }) => name))
  const gone = connectors.filter(({ name, addedBy }) => addedBy === source && !held.has(name))
  const kept = gone.filter(({ blocked }) => prune && blocked)
  const left = gone.filter((each) => !kept.includes(each)).map(({ name }) => name)
  tally.left.push(...left.map((name) => `connector ${connectorId(tenant.id, name)}`))
  if (prune) for (const name of left) after.delete(name)
  return {
    connectors: puts,
    connectorRemovals: prune ? left : [],
    identitiesAfter: new Set([...after.values()].flatMap(identityFields)),
    refused: kept.map((each) => connectorBlocked(each).message),
    stuck,
  }
}

/** The kinds that the file mentions replace those that are there; the others stay. */
function mergeIdentities(now: Identities | undefined, { identities }: FileConnector): Identities {
  return {
    ip: identities.ip ?? now?.ip ?? [],
    cert: identities.cert ?? now?.cert ?? [],
    certSha256: identities.certSha256 ?? now?.certSha256 ?? [],
    auth: identities.auth ?? now?.auth ?? [],
  }
}

/** The kinds of identities that a connector has and the file says nothing of, for people. */
function unmentioned(now: Connector, { identities }: FileConnector): string[] {
  return IDENTITY_KINDS.flatMap(([kind, word]) =>
    identities[kind] === undefined ? now[kind].map((each) => `${word} ${each}`) : [],
  )
}

function sameConnector(now: Connector, put: ConnectorPut, source: string): boolean {
  return (
    now.addedBy === source &&
    (put.enabled ?? now.enabled) === now.enabled &&
    sameIdentities(now, put.identities)
  )
}
