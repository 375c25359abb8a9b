// Compares one tenant of a file with what is registered, and writes nothing.
import { connectorId } from '../mail/identities'
import type { AcceptedDomain, Connector, Identities } from '../mail/tenant'
import {
  connectorBlocked,
  losesIdentity,
  sameIdentities,
  type ConnectorPut,
} from '../registry/connector-registry'
import { readAllEntries, type DomainEntry } from '../registry/domain-entries'
import { readClaims } from '../registry/owners'
import { IDENTITY_KINDS } from '../registry/formats'
import { TenantRegistry, type TenantSettings } from '../registry/tenant-registry'
import type { Store } from '../store/store'
import type { FileConnector, FileTenant } from './tenants-file'

/** What applying a file does to one of its tenants. */
export interface TenantPlan extends DomainsPlan, ConnectorsPlan {
  readonly tenant: FileTenant
  readonly isNew: boolean
  /** `undefined`: nothing to set. */
  readonly settings: TenantSettings | undefined
  readonly report: PlanReport
}

interface DomainsPlan {
  /** Those that are new or change. */
  readonly domains: readonly DomainEntry[]
  /** Those that came from this file and are not in it any more; with `prune` only. */
  readonly domainRemovals: readonly string[]
}

export interface ConnectorsPlan {
  readonly connectors: readonly ConnectorPut[]
  readonly connectorRemovals: readonly string[]
  /** Blocked ones that would lose an identity: nothing of the plan can be done. */
  readonly blocked: readonly FileConnector[]
}

/** The same for people: `domain contoso.com of contoso`. */
export interface PlanReport {
  readonly added: string[]
  readonly updated: string[]
  unchanged: number
  /** What came from this file and is not in it any more. */
  readonly left: string[]
  /** What was to be pruned and must stay, with the reason. */
  readonly refused: string[]
}

export interface PlanOptions {
  /** Marks what comes from this file. */
  readonly source: string
  /** Whether what the file no longer holds is to be removed. */
  readonly prune: boolean
}

/** @param connectors those that the tenant has. */
export async function planTenant(
  store: Store,
  tenant: FileTenant,
  connectors: readonly Connector[],
  options: PlanOptions,
): Promise<TenantPlan> {
  const report = newReport()
  const registered = await new TenantRegistry(store).get(tenant.id)
  const now: Record<string, unknown> = { ...registered }
  const wanted = Object.entries({ ...tenant.settings, source: options.source })
  const isSame = wanted.every(([field, value]) => (value ?? undefined) === now[field])
  const changes = note(report, `tenant ${tenant.id}`, registered, isSame)
  return {
    tenant,
    isNew: registered === undefined,
    settings: changes ? tenant.settings : undefined,
    ...(await planDomains(store, tenant, options, report)),
    ...planConnectors(tenant, connectors, options, report),
    report,
  }
}

export function newReport(): PlanReport {
  return { added: [], updated: [], unchanged: 0, left: [], refused: [] }
}

/** @returns whether it is to be written. */
function note(report: PlanReport, what: string, there: unknown, isSame: boolean): boolean {
  if (there !== undefined && isSame) {
    report.unchanged++
    return false
  }
  report[there === undefined ? 'added' : 'updated'].push(what)
  return true
}

async function planDomains(
  store: Store,
  { id, domains }: FileTenant,
  { source, prune }: PlanOptions,
  report: PlanReport,
): Promise<DomainsPlan> {
  const entries = await readAllEntries(store, id)
  const names = domains.map(({ domain }) => domain)
  const claims = await readClaims(store, names)
  const puts = domains.flatMap(({ domain, subdomains, shared }, at) => {
    const there = entries.get(domain)
    const claim = claims[at]?.tenant === id ? claims[at] : undefined
    const isSame =
      there?.subdomains === subdomains &&
      there.shared === shared &&
      there.addedBy === source &&
      // What was cut short between entry and claim is completed.
      claim?.subdomains === (shared ? undefined : subdomains)
    const changes = note(report, `domain ${domain} of ${id}`, there, isSame)
    return changes ? [{ domain, subdomains, shared }] : []
  })
  const held = new Set(names)
  const left = [...entries.values()]
    .filter(({ domain, addedBy }: AcceptedDomain) => addedBy === source && !held.has(domain))
    .map(({ domain }) => domain)
  report.left.push(...left.map((domain) => `domain ${domain} of ${id}`))
  return { domains: puts, domainRemovals: prune ? left : [] }
}

export function planConnectors(
  { id: tenant, connectors: wanted }: Pick<FileTenant, 'id' | 'connectors'>,
  connectors: readonly Connector[],
  { source, prune }: PlanOptions,
  report: PlanReport,
): ConnectorsPlan {
  const there = new Map(connectors.map((each) => [each.name, each]))
  const blocked: FileConnector[] = []
  const puts = wanted.flatMap((each) => {
    const { name, enabled } = each
    const id = connectorId(tenant, name)
    const now = there.get(name)
    const dropped = now?.addedBy === source ? unmentioned(now, each) : []
    report.left.push(...dropped.map((identity) => `${identity} of connector ${id}`))
    const identities = merge(prune && dropped.length > 0 ? undefined : now, each)
    if (now?.blocked && losesIdentity(now, identities)) blocked.push(each)
    const isSame =
      now?.addedBy === source &&
      (enabled ?? now.enabled) === now.enabled &&
      sameIdentities(now, identities)
    return note(report, `connector ${id}`, now, isSame) ? [{ name, identities, enabled }] : []
  })
  const held = new Set(wanted.map(({ name }) => name))
  const removals: string[] = []
  for (const each of connectors) {
    if (each.addedBy !== source || held.has(each.name)) continue
    if (prune && each.blocked) {
      report.refused.push(connectorBlocked(each).message)
      continue
    }
    report.left.push(`connector ${connectorId(tenant, each.name)}`)
    if (prune) removals.push(each.name)
  }
  return { connectors: puts, connectorRemovals: removals, blocked }
}

/** The kinds that the file mentions replace those that are there; the others stay. */
function merge(now: Identities | undefined, { identities }: FileConnector): Identities {
  const { ip = [], cert = [], certSha256 = [], auth = [] } = { ...now, ...identities }
  return { ip, cert, certSha256, auth }
}

/** What a connector has of the kinds that the file does not mention, for people. */
function unmentioned(now: Connector, { identities }: FileConnector): string[] {
  return IDENTITY_KINDS.flatMap(([kind, word]) =>
    identities[kind] === undefined ? now[kind].map((each) => `${word} ${each}`) : [],
  )
}
