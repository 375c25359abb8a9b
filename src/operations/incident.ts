import { defaultsOf } from '../allowance/defaults'
import { defaultLimits } from '../allowance/ledger'
import { modeFacts, Restrictions, type Restriction } from '../allowance/restriction'
import type { AllowanceSettings } from '../allowance/settings'
import { readTenantAudit } from '../audit/reader'
import { caseName, openSteps, parseCaseName, type Case } from '../cases/case'
import { Cases } from '../cases/cases'
import { CLASSES } from '../mail/classes'
import { assertTenantId, connectorId } from '../mail/identities'
import { parseLimits } from '../mail/limits'
import { METERS, USUAL_METER } from '../mail/meters'
import { modeInEffect, type Mode } from '../mail/mode'
import type { Connector, Tenant } from '../mail/tenant'
import type { AuditEntry } from '../records/audit-entry'
import { readSomeConnectors } from '../registry/connector-reader'
import { ConnectorRegistry } from '../registry/connector-registry'
import { DAY, HOUR, MINUTE, startOf } from '../reporting/calendar'
import type { MinuteRow } from '../reporting/minutes'
import { ReportReader } from '../reporting/reader'
import { OTHER } from '../reporting/rows'
import { sharesOf, type Shares } from '../reporting/shares'
import { attempts, total } from '../reporting/sum'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { suggestDomains } from '../suggest/suggest'
import { GOING_ON, stepsFor, type ConnectorFlow, type IncidentStep } from './incident-steps'
import { droppableByConnector, readIncidentQueue, type IncidentQueue } from './incident-queue'
import { existingTenant } from './tenants'

/** Minutes that show whether it goes on. */
const MINUTES = 15
/** How long before the restriction its causes are searched, in ms. */
const BEFORE = 2 * HOUR
/** An older restriction is looked at for this long, in ms: what came from whom is kept by the hour for 8 days. */
const LONGEST = 7 * DAY
/** Changes of so long a time may be its cause, in ms. */
const CHANGES = 7 * DAY
const MOST_CHANGES = 10

/** What goes on with a tenant whose mail is, or was, refused. */
export interface GoingOn {
  readonly tenant: Tenant
  /** The mode in effect. */
  readonly mode: Mode
  /** When it was read: ms, server time. */
  readonly now: number
  readonly restriction: Restriction | undefined
  /** The case that was named, else the latest one; `undefined`: there is none. */
  readonly case: Case | undefined
  /** Each of the last {@link MINUTES} minutes, oldest first. */
  readonly minutes: readonly IncidentMinute[]
  /** Since when shares are counted: ms. */
  readonly from: number
  /** Of the unregistered mail since then. */
  readonly shares: Shares
  /** The tenant's connectors, and those that its mail came through: the most unregistered recipients first. */
  readonly connectors: readonly ConnectorFlow[]
}

/** All that a person needs to decide about it. */
export interface Incident extends GoingOn {
  /** What waits in the queues of all hosts. */
  readonly queue: IncidentQueue
  /** What was changed of the tenant, newest first. */
  readonly changes: readonly AuditEntry[]
  /** Unregistered domains that are probably the tenant's own, by name and mail alone: DNS is not asked. */
  readonly own: readonly string[]
  /** What to do next, in this order. */
  readonly steps: readonly IncidentStep[]
}

/** What was tried in one minute. Recipients. */
export interface IncidentMinute {
  /** ms */
  readonly at: number
  /** Of mail that counts on the usual meter. */
  readonly accepted: number
  readonly refused: number
  readonly deferred: number
  /** Of mail that passes whatever the allowance. */
  readonly registered: number
  /** The connector with the most of the former, as `tenant/name`; empty: none. */
  readonly connector: string
}

/** Settings that the incident is read by. */
export type IncidentSettings = AllowanceSettings & {
  readonly report: { readonly days: number }
  readonly registry: { readonly neverRegister: ReadonlySet<string> }
}

/** How an incident is read. */
export interface IncidentReading {
  /** Of a tenant; absent: all hosts are asked, and one that does not answer is waited for. */
  readonly queueOf?: (tenant: string) => Promise<IncidentQueue>
  /** As {@link ownDomains}; absent: they are read now. */
  readonly ownOf?: (tenant: string) => Promise<readonly string[]>
  /**
   * For a page that is asked for again and again: shares of a day at most, and only connectors with mail. For the others the
   * connectors of all tenants would be read.
   */
  readonly isBounded?: boolean
}

/** Reads an incident. Writes nothing. @throws as {@link readGoingOn}. */
export async function readIncident(
  store: Store,
  settings: IncidentSettings,
  subject: string,
  reading: IncidentReading = {},
): Promise<Incident> {
  const {
    queueOf = (tenant) => readIncidentQueue(store, tenant),
    ownOf = (tenant) => ownDomains(store, settings, tenant),
  } = reading
  const goesOn = await readGoingOn(store, settings, subject, reading)
  const { tenant, restriction, case: record, connectors, from } = goesOn
  const { id } = tenant
  const [queue, changes, own] = await Promise.all([
    queueOf(id),
    readTenantAudit(store, id, from - CHANGES),
    ownOf(id),
  ])
  const limits =
    tenant[METERS[USUAL_METER].limitsField] ?? defaultLimits(defaultsOf(settings), USUAL_METER)
  return {
    ...{ ...goesOn, own, queue },
    changes: changes.slice(-MOST_CHANGES).reverse(),
    steps: stepsFor({
      ...{ tenant: id, restricted: restriction !== undefined, flows: connectors, own },
      queued: droppableByConnector(queue),
      case: record && { name: record.name, open: openSteps(record), closed: !!record.closed },
      lately: triedLately(goesOn),
      limits: parseLimits(limits),
    }),
  }
}

/** Unregistered domains that are probably the tenant's own, by name and mail alone: all its reports are read. */
export async function ownDomains(
  store: Store,
  { report, registry }: IncidentSettings,
  tenant: string,
): Promise<string[]> {
  const { ranked } = await suggestDomains(
    ...([store, tenant, report.days, undefined, registry.neverRegister] as const),
  )
  return ranked.filter((each) => each.class === 'own').map(({ domain }) => domain)
}

/**
 * What of an incident changes by itself. Writes nothing, and asks no host.
 *
 * @param subject a tenant, or a case (`tenant:number`).
 * @throws {InputError} neither.   @throws {NotFoundError} there is no such tenant or case.
 */
export async function readGoingOn(
  store: Store,
  settings: IncidentSettings,
  subject: string,
  { isBounded = false }: IncidentReading = {},
): Promise<GoingOn> {
  const id = subject.includes(':') ? parseCaseName(subject).tenant : subject
  assertTenantId(id)
  const tenant = await existingTenant(store, id)
  const record = await caseOf(store, subject, id)
  const [now, restriction] = await Promise.all([
    serverTime(store.client),
    new Restrictions(store).get(id),
  ])
  const reader = new ReportReader(store)
  const { from, to } = spanOf(record, now, isBounded ? DAY : LONGEST)
  const rows = await reader.rows(id, from, to, 'hour')
  const recent = await reader.minutes(id, Math.min(from, now - MINUTES * MINUTE), now + 1)
  const shares = sharesOf(
    rows.filter((row) => CLASSES[row.class].meter === USUAL_METER),
    recent.filter(({ at }) => at >= from && at < to),
  )
  const registered = await (isBounded
    ? usedConnectors(store, id, shares)
    : new ConnectorRegistry(store).list(id))
  return {
    ...{ tenant, now, restriction, case: record, from, shares },
    minutes: lastMinutes(recent, now),
    connectors: flowsOf(id, shares, registered, recent),
    mode: modeInEffect(settings.main, modeFacts(tenant.mode, restriction)),
  }
}

/** Recipients of mail that counts on the usual meter, in the last {@link GOING_ON} minutes. */
export function triedLately({ minutes }: Pick<GoingOn, 'minutes'>): number {
  return minutes.slice(-GOING_ON).reduce((sum, each) => sum + triedIn(each), 0)
}

/** Recipients of mail that counts on the usual meter. */
export function triedIn({ accepted, refused }: IncidentMinute): number {
  return accepted + refused
}

async function usedConnectors(store: Store, tenant: string, shares: Shares): Promise<Connector[]> {
  const seen = await new ReportReader(store).connectorsSeen(tenant)
  const ids = new Set([...seen.keys()].map((name) => connectorId(tenant, name)))
  for (const { value } of shares.connector) ids.add(value)
  const found = await readSomeConnectors(store, [...ids].sort())
  return found.flatMap(([, connector]) => connector ?? [])
}

async function caseOf(store: Store, subject: string, tenant: string): Promise<Case | undefined> {
  const cases = new Cases(store)
  if (subject.includes(':')) return cases.existing(subject)
  const last = await cases.lastOf(tenant)
  return last === 0 ? undefined : cases.get(caseName(tenant, last))
}

/** From two hours before the restriction until it was lifted; without a case, the last two hours. */
function spanOf(
  record: Case | undefined,
  now: number,
  longest: number,
): { from: number; to: number } {
  const to = Math.min(now, record?.lifted?.at ?? now) + 1
  const from = Math.max((record?.opened ?? now) - BEFORE, to - longest)
  return { from: startOf(from, HOUR), to }
}

function lastMinutes(rows: readonly MinuteRow[], now: number): IncidentMinute[] {
  const last = startOf(now, MINUTE)
  return Array.from({ length: MINUTES }, (_, at) => {
    const start = last - (MINUTES - 1 - at) * MINUTE
    return minuteOf(
      start,
      rows.filter((row) => row.at === start),
    )
  })
}

function minuteOf(at: number, rows: readonly MinuteRow[]): IncidentMinute {
  const counted = rows.filter((row) => CLASSES[row.class].meter === USUAL_METER)
  const sum = total(counted)
  const accepted = sum.accepted + sum.refunded
  const most = counted.toSorted((a, b) => attempts(b.counts) - attempts(a.counts))[0]
  return {
    at,
    accepted,
    refused: attempts(sum) - accepted,
    deferred: Math.max(sum.deferred, sum.messages.deferred),
    registered: total(rows.filter((row) => CLASSES[row.class].passes)).accepted,
    connector: most?.connector ?? '',
  }
}

function flowsOf(
  tenant: string,
  shares: Shares,
  registered: readonly Connector[],
  minutes: readonly MinuteRow[],
): ConnectorFlow[] {
  const known = new Map(registered.map((each) => [connectorId(tenant, each.name), each]))
  const passing = minutes.filter((row) => CLASSES[row.class].passes)
  const seen = new Set(shares.connector.map(({ value }) => value))
  const others = [...known.keys()]
    .filter((value) => !seen.has(value))
    .map((value) => ({
      ...{ value, messages: 0, recipients: 0, share: 0 },
      registered: total(passing.filter(({ connector }) => connector === value)),
    }))
  return [...shares.connector, ...others].map((share) => ({
    ...share,
    stopped: stoppedBy(share.value, known.get(share.value)),
  }))
}

function stoppedBy(value: string, connector: Connector | undefined): ConnectorFlow['stopped'] {
  if (value === '' || value === OTHER) return undefined
  if (!connector) return 'removed'
  if (connector.blocked) return 'blocked'
  return connector.enabled ? undefined : 'disabled'
}
