import { mapLimited } from '../base/limiter'
import { isNotAllowed } from '../store/failure'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'
import { parseEntry, tenantOf, type AuditEntry } from '../records/audit-entry'

/** How long entries are kept. */
export const AUDIT_DAYS = 365
const BATCH = 1000
const TENANTS_AT_ONCE = 200

/** Which changes are asked for. */
export interface AuditQuestion {
  /** Of this tenant, its connectors and the registry as a whole; `undefined`: all. */
  readonly tenant?: string | undefined
  /** `from` ≤ at < `to`, in ms since the epoch. */
  readonly from: number
  readonly to: number
  /** A part of the name of the OS or Redis user, or of the note, in any case. */
  readonly who?: string | undefined
  /** A part of what was changed, of the old or of the new value, in any case. */
  readonly what?: string | undefined
}

/** The changes that were asked for, the oldest first. Writes nothing. */
export async function readAudit(store: Store, question: AuditQuestion): Promise<AuditEntry[]> {
  const { tenant, from, to, who, what } = question
  const entries =
    tenant === undefined
      ? await readWholeAudit(store, from)
      : await readTenantAudit(store, tenant, from)
  return entries.filter(
    (entry) =>
      entry.at < to &&
      contains([entry.os, entry.redis, entry.note], who) &&
      contains([entry.what, entry.from, entry.to], what),
  )
}

/** Whether changes of a tenant are kept: it may have been removed. */
export async function hasTrail(store: Store, tenant: string): Promise<boolean> {
  const newest = await store.client.lrange(store.keys.audit(tenant), -1, -1)
  return newest.length > 0
}

function contains(texts: readonly string[], part = ''): boolean {
  return texts.some((text) => text.toLowerCase().includes(part.toLowerCase()))
}

/**
 * The changes of a tenant, of its connectors and of the registry as a whole, oldest first. Writes nothing.
 *
 * @param since ms since the epoch.
 */
export async function readTenantAudit(
  store: Store,
  tenant: string,
  since: number,
): Promise<AuditEntry[]> {
  const { keys } = store
  const [own, connectors, tenants, nodes] = await Promise.all([
    readTrail(store, keys.audit(tenant), tenant, since),
    readTrail(store, keys.connectorsAudit, '', since),
    readTrail(store, keys.tenantsAudit, '', since),
    readNodesTrail(store, since),
  ])
  const shared = [...connectors, ...tenants, ...nodes].filter(({ subject }) =>
    ['', tenant].includes(tenantOf(subject)),
  )
  return merged([...own, ...shared])
}

/** The same of all tenants, with those that were removed. Reads the trail of each. */
export async function readWholeAudit(store: Store, since: number): Promise<AuditEntry[]> {
  const { keys } = store
  const tenants = await readTrail(store, keys.tenantsAudit, '', since)
  const connectors = await readTrail(store, keys.connectorsAudit, '', since)
  const entries = [...tenants, ...connectors, ...(await readNodesTrail(store, since))]
  const ids = new Set(tenants.map(({ subject }) => tenantOf(subject)).filter((id) => id !== ''))
  for await (const batch of scanSet(store, keys.tenants)) for (const id of batch) ids.add(id)
  await mapLimited([...ids], TENANTS_AT_ONCE, async (id) => {
    entries.push(...(await readTrail(store, keys.audit(id), id, since)))
  })
  return merged(entries)
}

interface NewestQuestion {
  /** ms since the epoch */
  readonly since: number
  readonly most: number
  /** Entries that the trail of a tenant is read for. */
  readonly ofEach?: number
  /** Leaves out what is about other tenants. */
  readonly only?: string
}

/** The newest changes, newest first. */
export interface NewestAudit {
  readonly entries: readonly AuditEntry[]
  /** There are more since then. */
  readonly more: boolean
}

/**
 * The newest changes of these tenants, of all connectors, of the registry as a whole and of hosts. Reads a bounded number of
 * entries of each trail. Writes nothing.
 */
export async function readNewestAudit(
  store: Store,
  tenants: readonly string[],
  { since, most, ofEach = most, only }: NewestQuestion,
): Promise<NewestAudit> {
  const { client, keys } = store
  const trails = [
    ...[keys.tenantsAudit, keys.connectorsAudit, keys.nodesAudit].map(
      (key) => [key, '', most] as const,
    ),
    ...tenants.map((id) => [keys.audit(id), id, ofEach] as const),
  ]
  const read = await mapLimited(trails, TENANTS_AT_ONCE, async ([key, tenant, length]) => {
    const lines = await client.lrange(key, -length, -1)
    const entries = lines.map((line) => parseEntry(line, tenant))
    return { entries, isCut: lines.length === length && entries[0]!.at >= since }
  })
  const entries = merged(read.flatMap((trail) => trail.entries)).filter(
    ({ at, subject }) =>
      at >= since && (only === undefined || ['', only].includes(tenantOf(subject))),
  )
  return {
    entries: entries.slice(-most).reverse(),
    more: entries.length > most || read.some(({ isCut }) => isCut),
  }
}

/** What was changed for all hosts; none of it is known with an ACL that is older than this version. */
async function readNodesTrail(store: Store, since: number): Promise<AuditEntry[]> {
  try {
    return await readTrail(store, store.keys.nodesAudit, '', since)
  } catch (error) {
    if (isNotAllowed(error)) return []
    throw error
  }
}

/** Reads from the newest entry back, so that a short time costs little. */
async function readTrail(
  store: Store,
  key: string,
  tenant: string,
  since: number,
): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = []
  let end = -1
  for (;;) {
    // Entries may come twice, since others are added meanwhile; they are merged.
    const lines = await store.client.lrange(key, end - BATCH + 1, end)
    const found = lines.map((line) => parseEntry(line, tenant))
    entries.push(...found.filter(({ at }) => at >= since))
    if (lines.length < BATCH || (found[0]?.at ?? 0) < since) return entries
    end -= BATCH
  }
}

/** By time; an entry of two trails once. */
function merged(entries: readonly AuditEntry[]): AuditEntry[] {
  const distinct = new Map(entries.map((entry) => [JSON.stringify(entry), entry] as const))
  return [...distinct.values()].sort((a, b) => a.at - b.at)
}
