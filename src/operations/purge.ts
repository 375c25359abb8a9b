import { tenantOf, parseEntry } from '../records/audit-entry'
import { addEntry } from '../records/audit-trail'
import { Cases } from '../cases/cases'
import { parseCaseName } from '../cases/case'
import { RefusedError } from '../base/errors'
import { fieldOf, readFields } from '../records/event-entry'
import { parseHeld } from '../alerts/held-contacts'
import { Snoozes } from '../alerts/snoozes'
import { unpackOpen } from '../events/open'
import { HOURS_KEPT, MOST_DAYS_KEPT } from '../reporting/bounds'
import { DAY, HOUR, numbersBetween } from '../reporting/calendar'
import { forgetInMail } from '../reporting/mail-index'
import { batchesOf } from '../base/lists'
import { scanSortedSet } from '../store/scan'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { serverTime } from '../store/server-clock'
import { forgetLostOf } from '../registry/lost-changes'
import { tenantExists } from '../registry/tenant-registry'

const FORGET_OWNER = readScript(__dirname, 'forget_owner')

const BATCH = 500

/**
 * Erases all data of a removed tenant: reports, samples, cases, evidence, events, audit trails; and its name in the
 * reports of other tenants that sent mail from its domains. One audit entry stays, which says who purged it. Key names
 * are computed, not searched for, so a second run completes an interrupted one.
 *
 * Not erased: its name in evidence and alerts of other tenants, or about Redis; receipts of its last recipients (without
 * addresses, expire within the hour); orders to queues and their answers (15 minutes); counters of signatures (hashes,
 * expire with the longest window); logs and delivered alerts; entries of the stream marked as deleted, until newer ones
 * replace them in Redis's memory.
 *
 * @throws {RefusedError} the tenant exists.
 */
export async function purgeTenant(store: Store, tenant: string): Promise<void> {
  if (await tenantExists(store, tenant)) {
    throw new RefusedError(`tenant ${tenant} exists again: nothing was purged`)
  }
  const { client, keys } = store
  const now = await serverTime(client)
  const cases = await new Cases(store).namesOf(tenant)
  // Before their number, from which a second run computes their names.
  await forgetCases(store, cases)
  for (const names of batchesOf(reportKeys(store, tenant, now), BATCH)) {
    await client.unlink(...names)
  }
  await client.zrem(keys.reported, tenant)
  await forgetInMail(store, tenant, now)
  await forgetOwner(store, tenant, now)
  await client.srem(keys.unusualIndex, tenant)
  await forgetEvents(store, tenant)
  await forgetLostOf(store, (subject) => tenantOf(subject) === tenant)
  for (const trail of [keys.connectorsAudit, keys.tenantsAudit]) {
    await forgetEntries(store, trail, tenant)
  }
  await client.unlink(
    keys.seen(tenant),
    keys.flushes(tenant),
    keys.unusual(tenant),
    keys.audit(tenant),
    keys.caseCount(tenant),
  )
  await addEntry(store, keys.tenantsAudit, { subject: tenant, what: 'tenant purged' })
}

async function forgetCases(store: Store, names: readonly string[]): Promise<void> {
  const { client, keys } = store
  for (const batch of batchesOf(names, BATCH)) {
    const records = batch.flatMap((name) => {
      const { tenant, number } = parseCaseName(name)
      return [keys.caseOf(tenant, number), keys.evidence(tenant, number)]
    })
    await client.unlink(...records)
    await client.zrem(keys.caseIndex, ...batch)
  }
}

/** All keys that reports may have, for any earlier `[report] days`. */
function reportKeys({ keys }: Store, tenant: string, now: number): string[] {
  const hours = numbersBetween(now - (HOURS_KEPT + 2) * DAY, now + 2 * HOUR, HOUR)
  const days = daysKept(now)
  const reports = [
    ...hours.map((hour) => keys.reportHour(tenant, hour)),
    ...days.map((day) => keys.reportDay(tenant, day)),
  ]
  return [
    ...reports.flatMap((report) => [report, keys.reportOthers(report)]),
    ...hours.map((hour) => keys.reportMinutes(tenant, hour)),
    ...days.map((day) => keys.samples(tenant, day)),
  ]
}

function daysKept(now: number): number[] {
  return numbersBetween(now - (MOST_DAYS_KEPT + 2) * DAY, now + 2 * DAY, DAY)
}

async function forgetOwner(store: Store, owner: string, now: number): Promise<void> {
  const { keys } = store
  const days = daysKept(now)
  for (const tenant of (await scanSortedSet(store, keys.reported)).keys()) {
    for (const batch of batchesOf(days, BATCH)) {
      const reports = batch.map((day) => keys.reportDay(tenant, day))
      await store.run(FORGET_OWNER, reports, [owner])
    }
  }
}

async function forgetEvents(store: Store, tenant: string): Promise<void> {
  const { client, keys } = store
  let from = '-'
  for (;;) {
    const entries = await client.xrange(keys.events, from, '+', 'COUNT', BATCH)
    const own = entries.filter(
      ([, fields]) => fieldOf(fields, 'tenant') === tenant || isOneOfMany(tenant, fields),
    )
    if (own.length > 0) await client.xdel(keys.events, ...own.map(([id]) => id))
    const last = entries.at(-1)
    if (entries.length < BATCH || !last) break
    from = `(${last[0]}`
  }
  await client.zrem(keys.eventsRecent, tenant)
  await new Snoozes(store).purge(tenant)
  const many = Object.entries(await client.hgetall(keys.eventsMany))
    .filter(([, packed]) => parseHeld(packed).tenant === tenant)
    .map(([field]) => field)
  if (many.length > 0) await client.hdel(keys.eventsMany, ...many)
  const open = Object.entries(await client.hgetall(keys.eventsOpen))
    .filter(([field, value]) => unpackOpen(field, value).tenant === tenant)
    .map(([field]) => field)
  if (open.length > 0) await client.hdel(keys.eventsOpen, ...open)
  const groups = Object.entries(await client.hgetall(keys.eventGroups))
    .filter(([field, value]) => isGroupOf(tenant, field, value))
    .map(([field]) => field)
  if (groups.length === 0) return
  await client.hdel(keys.eventGroups, ...groups)
  // Some of them are alerts.
  await client.zrem(keys.eventsDue, ...groups)
}

/** Whether an alert about many tenants names it. */
function isOneOfMany(tenant: string, fields: readonly string[]): boolean {
  const { alert } = readFields(fields)
  const tenants: unknown = alert?.kind === 'many_restricted' ? alert.facts['tenants'] : undefined
  return Array.isArray(tenants) && tenants.includes(tenant)
}

/** See `events/lua/publish.lua`. */
function isGroupOf(tenant: string, field: string, value: string): boolean {
  if (field.startsWith(`g${tenant}\t`)) return true
  try {
    return (JSON.parse(value) as { tenant?: unknown }).tenant === tenant
  } catch {
    return false
  }
}

async function forgetEntries({ client }: Store, trail: string, tenant: string): Promise<void> {
  const own = new Set<string>()
  for (let at = 0; ; at += BATCH) {
    const lines = await client.lrange(trail, at, at + BATCH - 1)
    for (const line of lines) if (tenantOf(parseEntry(line, '').subject) === tenant) own.add(line)
    if (lines.length < BATCH) break
  }
  for (const line of own) await client.lrem(trail, 0, line)
}
