import type { Ledger } from '../src/allowance/ledger'
import type { TenantSettings } from '../src/registry/tenant-registry'
import { batchesOf } from '../src/base/lists'
import { reverseLabels } from '../src/names/domain'
import type { Store } from '../src/store/store'
import { Registries } from '../test/support/registries'
import { chargeFor, DEFAULTS, ROOMY } from './charge'

const BY = 'bench'
const BATCH = 1_000
const PLAIN = { subdomains: false, shared: false }

/** A tenant, and the address its server sends from. */
export interface Sender {
  readonly id: string
  readonly domain: string
  readonly ip: string
}

/** Registers a tenant, with room for all mail unless its settings limit it. */
export async function registerTenant(
  store: Store,
  { id, domain, ip }: Sender,
  settings: TenantSettings = {},
): Promise<void> {
  await seedTenant(store, id, [domain], { limits: ROOMY, ...settings })
  await new Registries(store).connectors.add(id, 'mail', identities(ip), BY)
}

/** The identity of a connector: one address. */
export function identities(ip: string) {
  return { ip: [`${ip}/32`], cert: [], certSha256: [], auth: [] }
}

/** Many tenants alike, each with one accepted domain. */
interface SeededTenants {
  /** Token of the list of accepted domains, the same for all. */
  readonly domainsToken: string
  /** Id of the tenant of this number, from 0 on. Its domain is this and `.com`. */
  readonly idAt: (number: number) => string
}

/**
 * Fills Redis with tenants, faster than the registry: it registers the first one, and a script copies its keys.
 *
 * @param ledger charges the first tenant once, so that all are active; without it all are idle.
 */
export async function seedTenants(
  store: Store,
  count: number,
  { ledger, ...settings }: TenantSettings & { ledger?: Ledger } = {},
): Promise<SeededTenants> {
  const { client, keys } = store
  const first = idAt(0)
  const domainsToken = await seedTenant(store, first, [`${first}.com`], settings)
  if (ledger) await ledger.charge(chargeFor(first, domainsToken), DEFAULTS)
  const copied = [
    ...[keys.tenant(first), keys.usage(first), keys.domains(first), keys.audit(first)],
    ...[keys.tenants, keys.tenantsAudit, keys.ownerNames, keys.ownerIndex],
  ]
  const reversed = reverseLabels(`${first}.com`)
  const ids = Array.from({ length: count }, (_, number) => idAt(number)).slice(1)
  for (const batch of batchesOf(ids, BATCH)) {
    await client.eval(COPY_FIRST, copied.length, [...copied, first, reversed, ...batch])
  }
  return { domainsToken, idAt }
}

/** Names tenants in the index of mail, as a flush does. */
export async function noteMail({ client, keys }: Store, ids: readonly string[]): Promise<void> {
  const at = Date.now()
  for (const batch of batchesOf(ids, BATCH)) {
    await client.zadd(keys.reported, ...batch.flatMap((id) => [at, id]))
  }
}

/** Without a magic character of Lua patterns: {@link COPY_FIRST} replaces it in names. */
function idAt(number: number): string {
  return `tenant${String(number).padStart(6, '0')}`
}

/** ARGV: the id of the first tenant, its domain as the index of owners has it, the ids of the copies. */
const COPY_FIRST = `
local tenant, usage, domains, audit, tenants, tenants_audit, owner_names, owner_index = unpack(KEYS)
local first = ARGV[1]
local names = redis.call('HGETALL', domains)
local trail = redis.call('LRANGE', audit, 0, -1)
local kept = redis.call('PTTL', audit)
local added = redis.call('LINDEX', tenants_audit, 0)
local owner = redis.call('HGET', owner_names, first .. '.com')
for at = 3, #ARGV do
  local function own(text) return (string.gsub(text, first, ARGV[at])) end
  redis.call('COPY', tenant, own(tenant))
  redis.call('COPY', usage, own(usage))
  redis.call('HSET', own(domains), own(names[1]), names[2])
  for _, line in ipairs(trail) do redis.call('RPUSH', own(audit), own(line)) end
  redis.call('PEXPIRE', own(audit), kept)
  redis.call('SADD', tenants, ARGV[at])
  redis.call('RPUSH', tenants_audit, own(added))
  redis.call('HSET', owner_names, ARGV[at] .. '.com', own(owner))
  redis.call('ZADD', owner_index, 0, own(ARGV[2]))
end
`

/**
 * Registers a tenant with these accepted domains.
 *
 * @returns the token of their list
 */
export async function seedTenant(
  store: Store,
  tenant: string,
  domains: readonly string[],
  settings: TenantSettings = {},
): Promise<string> {
  const registry = new Registries(store)
  await registry.tenants.add(tenant, settings, BY)
  await registry.domains.add(
    tenant,
    domains.map((domain) => ({ ...PLAIN, domain })),
    BY,
  )
  return (await store.client.hget(store.keys.tenant(tenant), 'domains')) ?? ''
}

/**
 * Gives this many tenants a connector each, with a new loopback address.
 *
 * @returns these addresses
 */
export async function seedAddresses(
  store: Store,
  count: number,
  idAt: (number: number) => string,
): Promise<readonly string[]> {
  const { connectors } = new Registries(store)
  const ips = Array.from({ length: count }, (_, at) => `127.1.${(at + 1) >> 8}.${(at + 1) & 255}`)
  for (const [at, ip] of ips.entries()) {
    await connectors.add(idAt(at), 'loopback', identities(ip), BY)
  }
  return ips
}

/** Connectors of one tenant: the registry adds the first one, the others are copies of it with addresses of their own. */
export async function seedConnectors(store: Store, tenant: string, count: number): Promise<void> {
  const { client, keys } = store
  const all = Array.from({ length: count }, (_, number) => ({
    name: `${tenant}/mail-${number}`,
    ip: `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`,
  }))
  const [first, ...others] = all
  if (!first) return
  await new Registries(store).connectors.add(tenant, 'mail-0', identities(first.ip), BY)
  const json = (await client.hget(keys.connectors, first.name)) ?? ''
  for (const batch of batchesOf(others, BATCH)) {
    const entries = batch.flatMap(({ name, ip }) => [name, json.replace(first.ip, ip)])
    await client.hset(keys.connectors, ...entries)
    const owned = batch.flatMap(({ name, ip }) => [`ip:${ip}/32`, name])
    await client.hset(keys.connectorIdentities, ...owned)
  }
}
