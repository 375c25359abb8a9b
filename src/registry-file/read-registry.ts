import { batchesOf } from '../base/lists'
import { scanHash, scanSet } from '../store/scan'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { inClaimOrder } from '../registry/claims'
import { unfinishedMoves } from '../registry/domain-move'
import { readClaims } from '../registry/owners'
import { isUsage, MOST_DOMAINS, type Fields, type MoveRecord, type RegistryRecord } from './record'

const READ = readScript(__dirname, 'read_tenant')

/** Longer lists of accepted domains are read in batches. */
const LONGEST_WHOLE = 1000
const SCAN_PIECE = 1000
/** Tenants read at a time. */
const TENANTS_AT_ONCE = 50
/** Connectors read at a time: each may hold many identities. */
const CONNECTORS_PIECE = 200
/** Reads of a list that keeps changing, before it is used as it is. */
const ATTEMPTS = 5

/** What to read besides tenants and their domains. */
export interface ReadOptions {
  /** The rings of the windows. */
  readonly usage: boolean
}

/**
 * A tenant as it is at one moment: its record, then those of its accepted domains, sorted so that a name stands before
 * those below it. None where there is no such tenant. A list of more than 1000 domains that changes all the time is as
 * HSCAN sees it in the end.
 *
 * @throws what ioredis throws.
 */
export async function* readTenantRecords(
  store: Store,
  id: string,
  options: ReadOptions,
): AsyncGenerator<RegistryRecord> {
  const tenant = await readTenant(store, id, options)
  if (tenant) yield* recordsOf(store, tenant, options)
}

/**
 * Everything that is registered, in batches, so that neither Redis nor this process is held for long: moves under way,
 * tenants, then connectors. Each tenant and each connector is as it was at one moment; what changes several of them
 * (`domain move`) may show up half.
 *
 * @throws what ioredis throws.
 */
export async function* readRegistry(store: Store): AsyncGenerator<RegistryRecord> {
  yield* await readMoves(store)
  const options = { usage: true }
  // SSCAN may name one twice.
  const seen = new Set<string>()
  for await (const ids of scanSet(store, store.keys.tenants)) {
    const fresh = ids.filter((id) => !seen.has(id) && seen.add(id))
    for (const batch of batchesOf(fresh, TENANTS_AT_ONCE)) {
      const tenants = await Promise.all(batch.map((id) => readTenant(store, id, options)))
      for (const tenant of tenants) if (tenant) yield* recordsOf(store, tenant, options)
    }
  }
  yield* readConnectorRecords(store)
}

/** Every connector, in batches; each once. @throws what ioredis throws. */
async function* readConnectorRecords(store: Store): AsyncGenerator<RegistryRecord> {
  const seen = new Set<string>()
  let cursor = '0'
  do {
    const [next, pairs] = await store.client.hscan(
      store.keys.connectors,
      cursor,
      'COUNT',
      CONNECTORS_PIECE,
    )
    for (let at = 0; at + 1 < pairs.length; at += 2) {
      const id = pairs[at]!
      if (seen.has(id)) continue
      seen.add(id)
      yield { type: 'connector', id, value: pairs[at + 1]! }
    }
    cursor = next
  } while (cursor !== '0')
}

async function readMoves(store: Store): Promise<MoveRecord[]> {
  const moves = (await unfinishedMoves(store)).filter(({ to }) => to !== '')
  const claims = await readClaims(
    store,
    moves.map(({ domain }) => domain),
  )
  return moves.map((move, at) => ({
    type: 'move',
    ...move,
    subdomains: claims[at]?.subdomains ?? false,
  }))
}

/** A tenant as of one moment. */
export interface TenantAsRead {
  readonly id: string
  readonly fields: Fields
  readonly restriction: Fields | undefined
  readonly usage: ReadonlyMap<string, Buffer> | undefined
  /** `undefined`: too long to be read in one go. */
  readonly domains: Map<string, string> | undefined
}

async function readTenant(
  store: Store,
  id: string,
  options: ReadOptions,
): Promise<TenantAsRead | undefined> {
  const tenant = await readWhole(store, id, options)
  return tenant.fields.has('createdAt') ? tenant : undefined
}

/**
 * All data in the keys of a tenant, whether or not the tenant exists.
 *
 * @param longest list of domains that is read along.
 */
export async function readWhole(
  store: Store,
  id: string,
  { usage }: ReadOptions,
  longest = LONGEST_WHOLE,
): Promise<TenantAsRead> {
  const { keys } = store
  const [fields, restriction, rings, domains, long] = (await store.runForOctets(
    READ,
    [keys.tenant(id), keys.domains(id), keys.restriction(id), keys.usage(id)],
    [longest, usage ? 1 : 0],
  )) as [Buffer[], Buffer[], Buffer[], Buffer[], number]
  return {
    id,
    fields: registered(toMap(fields, String)),
    restriction: restriction.length === 0 ? undefined : toMap(restriction, String),
    usage: rings.length === 0 ? undefined : readable(toMap(rings, (octets) => octets)),
    domains: Number(long) === 1 ? undefined : toMap(domains, String),
  }
}

/** Without unreadable rings, which would make the file impossible to restore; the next charge starts them anew. */
function readable(usage: ReadonlyMap<string, Buffer>): Map<string, Buffer> {
  return new Map([...usage].filter(([field, octets]) => isUsage(field, octets)))
}

/** Without the events that wait to be put into the stream: they are not part of the registry. */
function registered(fields: Map<string, string>): Map<string, string> {
  fields.delete('events')
  return fields
}

async function* recordsOf(
  store: Store,
  first: TenantAsRead,
  options: ReadOptions,
): AsyncGenerator<RegistryRecord> {
  const read = await withDomains(store, first, options)
  if (!read) return
  const { id, fields, restriction, usage } = read.tenant
  yield { type: 'tenant', id, fields, restriction, usage }
  for (const batch of batchesOf(
    inClaimOrder(read.domains, ([domain]) => domain),
    MOST_DOMAINS,
  )) {
    yield { type: 'domains', tenant: id, domains: new Map(batch) }
  }
}

/** The tenant with its list under the same token; `undefined`: it is gone. */
async function withDomains(
  store: Store,
  first: TenantAsRead,
  options: ReadOptions,
): Promise<{ tenant: TenantAsRead; domains: Map<string, string> } | undefined> {
  let tenant: TenantAsRead | undefined = first
  for (let attempt = 1; ; attempt++) {
    if (!tenant) return undefined
    if (tenant.domains) return { tenant, domains: tenant.domains }
    const domains = new Map<string, string>()
    await scanHash(store, store.keys.domains(tenant.id), SCAN_PIECE, (domain, packed) =>
      domains.set(domain, packed),
    )
    const after = await readTenant(store, tenant.id, options)
    const same = after?.fields.get('domains') === tenant.fields.get('domains')
    if (after && same) return { tenant: after, domains }
    if (after && attempt === ATTEMPTS) return { tenant: withoutDomainsToken(after), domains }
    tenant = after
  }
}

/** Without a token a list is never mistaken for the one in Redis. */
function withoutDomainsToken(tenant: TenantAsRead): TenantAsRead {
  const fields = new Map(tenant.fields)
  fields.delete('domains')
  return { ...tenant, fields }
}

function toMap<T>(flat: readonly Buffer[], value: (octets: Buffer) => T): Map<string, T> {
  const map = new Map<string, T>()
  for (let at = 0; at + 1 < flat.length; at += 2) map.set(String(flat[at]), value(flat[at + 1]!))
  return map
}
