// Compares one tenant of a file with what is registered, and writes nothing.
import { connectorId } from '../mail/identities'
import { isMailboxProvider } from '../names/mailbox-providers'
import type { AcceptedDomain, Connector, Identities } from '../mail/tenant'
import {
  connectorBlocked,
  losesIdentity,
  sameIdentities,
  type ConnectorPut,
} from '../registry/connector-registry'
import { readAllEntries, type DomainEntry } from '../registry/domain-entries'
import { readClaims } from '../registry/owners'
import { IDENTITY_KINDS, type DomainFlags } from '../registry/formats'
import { TenantRegistry, type TenantSettings } from '../registry/tenant-registry'
import type { Store } from '../store/store'
import { newReport, type Change, type Kind, type PlanReport } from './report'
import { detachedFrom } from './source'
import { SETTING_KEYS, type FileConnector, type FileDomain, type FileTenant } from './tenants-file'

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
  /** New ones of mailbox providers, without `force`: nothing of the plan can be done. */
  readonly ofProviders: readonly FileDomain[]
}

export interface ConnectorsPlan {
  readonly connectors: readonly ConnectorPut[]
  readonly connectorRemovals: readonly string[]
  /** Blocked ones that would lose an identity: nothing of the plan can be done. */
  readonly blocked: readonly FileConnector[]
}

export interface PlanOptions {
  /** Marks what comes from this file. */
  readonly source: string
  /** Whether what the file no longer holds is to be removed. */
  readonly prune: boolean
  /** Names that count as mailbox providers too. */
  readonly neverRegister: ReadonlySet<string>
}

/**
 * @param connectors those that the tenant has.
 * @returns `undefined`: the tenant is detached from this file.
 */
export async function planTenant(
  store: Store,
  tenant: FileTenant,
  connectors: readonly Connector[],
  options: PlanOptions,
): Promise<TenantPlan | undefined> {
  const report = newReport()
  const registered = await new TenantRegistry(store).get(tenant.id)
  if (registered?.source === detachedFrom(options.source)) return undefined
  const now: Record<string, unknown> = { ...registered }
  const wanted = Object.entries({ ...tenant.settings, source: options.source })
  const different = wanted.filter(([field, value]) => (value ?? undefined) !== now[field])
  const changes = note(report, 'tenant', tenant.id, registered, {
    isSame: different.length === 0,
    changes: different.map(([field, value]) => [
      KEY_OF.get(field) ?? field,
      settingText(now[field]),
      settingText(value),
    ]),
  })
  return {
    tenant,
    isNew: registered === undefined,
    settings: changes ? tenant.settings : undefined,
    ...(await planDomains(store, tenant, options, report)),
    ...planConnectors(tenant, connectors, options, report),
    report,
  }
}

const KEY_OF = new Map<string, string>([...SETTING_KEYS].map(([key, setting]) => [setting, key]))

function settingText(value: unknown): string {
  return typeof value === 'string' ? value : 'default'
}

/** Old and new text of a setting, flag or identity. */
type Difference = readonly [what: string, from: string, to: string]

/** @returns whether it is to be written. */
function note(
  report: PlanReport,
  kind: Kind,
  name: string,
  there: unknown,
  { isSame, changes }: { readonly isSame: boolean; readonly changes: readonly Difference[] },
): boolean {
  if (there !== undefined && isSame) {
    report.unchanged++
    return false
  }
  const how = there === undefined ? 'added' : 'updated'
  const of = `${kind} ${name}`
  report[how].push(of)
  report.counts[how][kind]++
  if (how === 'updated') {
    report.changes.push(...changes.map(([what, from, to]): Change => ({ of, what, from, to })))
  }
  return true
}

async function planDomains(
  store: Store,
  { id, domains }: FileTenant,
  { source, prune, neverRegister }: PlanOptions,
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
    const changes = note(report, 'domain', `${domain} of ${id}`, there, {
      isSame,
      changes: there ? domainChanges(there, { subdomains, shared }, source) : [],
    })
    return changes ? [{ domain, subdomains, shared }] : []
  })
  const held = new Set(names)
  const left = [...entries.values()]
    .filter(({ domain, addedBy }: AcceptedDomain) => addedBy === source && !held.has(domain))
    .map(({ domain }) => domain)
  report.left.push(...left.map((domain) => `domain ${domain} of ${id}`))
  const ofProviders = domains.filter(
    ({ domain, force }) =>
      !force && !entries.has(domain) && isMailboxProvider(domain, neverRegister),
  )
  return { domains: puts, domainRemovals: prune ? left : [], ofProviders }
}

function domainChanges(there: AcceptedDomain, wanted: DomainFlags, source: string): Difference[] {
  const flags = (['subdomains', 'shared'] as const).map((flag): Difference => [
    flag,
    String(there[flag]),
    String(wanted[flag]),
  ])
  return differing([...flags, ['source', there.addedBy, source]])
}

function differing(all: readonly Difference[]): Difference[] {
  return all.filter(([, from, to]) => from !== to)
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
    const changes = now ? connectorChanges(now, { ...each, identities }, source) : []
    return note(report, 'connector', id, now, { isSame, changes })
      ? [{ name, identities, enabled }]
      : []
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

function connectorChanges(
  now: Connector,
  { identities, enabled }: Pick<ConnectorPut, 'identities' | 'enabled'>,
  source: string,
): Difference[] {
  const ofIdentities = IDENTITY_KINDS.flatMap(([kind, word]): Difference[] => [
    ...without(now[kind], identities[kind]).map((each): Difference => [word, each, 'none']),
    ...without(identities[kind], now[kind]).map((each): Difference => [word, 'none', each]),
  ])
  return differing([
    ...ofIdentities,
    ['enabled', String(now.enabled), String(enabled ?? now.enabled)],
    ['source', now.addedBy, source],
  ])
}

function without(list: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others)
  return list.filter((each) => !known.has(each))
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
