import type { Ledger } from '../src/allowance/ledger'
import { reverseLabels } from '../src/names/domain'
import { batchesOf } from '../src/base/lists'
import type { Store } from '../src/store/store'
import { Registries } from '../test/support/registries'
import type { TenantSettings } from '../src/registry/tenant-registry'
import { BulkLoader } from './bulk'
import { DEFAULTS } from './ledger-load'

const BY = 'bench'
const BATCH = 1_000
/** Of all tenants alike. */
export const TENANT_NAME = 'Example Inc.'

/** Many tenants alike, each with one accepted domain. */
export interface SeededTenants {
  readonly count: number
  /** The token of the list of domains, the same for all. */
  readonly domainsToken: string
  /** The id of the tenant of this number, 0 to count - 1. */
  readonly idAt: (number: number) => string
}

/**
 * Fills Redis with tenants, faster than an operator could: the first one is registered, and charged once where they
 * are to be active; the others are byte for byte copies of its keys (DUMP, RESTORE) with a domain of their own, and an
 * audit trail that says so.
 *
 * @param port that of the same Redis.
 * @param ledger charges the first tenant once; without it all are idle.
 */
export async function seedTenants(
  store: Store,
  port: number,
  count: number,
  { limits = null, ledger }: { limits?: string | null; ledger?: Ledger } = {},
): Promise<SeededTenants> {
  const { client, keys } = store
  const first = idOf(0)
  const registry = new Registries(store)
  await registry.tenants.add(first, { name: TENANT_NAME, limits }, BY)
  await registry.domains.add(
    first,
    [{ domain: domainOf(first), subdomains: false, shared: false }],
    BY,
  )
  const domainsToken = (await client.hget(keys.tenant(first), 'domains')) ?? ''
  if (ledger) await ledger.charge(chargeFor(first, domainsToken), DEFAULTS)

  const tenant = (await client.dumpBuffer(keys.tenant(first))).toString('latin1')
  const usage = ledger && (await client.dumpBuffer(keys.usage(first))).toString('latin1')
  const packed = (await client.hget(keys.domains(first), domainOf(first))) ?? ''
  const trail = await client.lrange(keys.audit(first), 0, -1)
  const added = (await client.lindex(keys.tenantsAudit, -1)) ?? ''
  const kept = String(await client.pttl(keys.audit(first)))
  const loader = await BulkLoader.open(port)
  for (const batch of batchesOf(range(1, count), BATCH)) {
    const ids = batch.map(idOf)
    for (const id of ids) {
      await loader.add('RESTORE', keys.tenant(id), '0', tenant)
      if (usage) await loader.add('RESTORE', keys.usage(id), '0', usage)
      await loader.add('HSET', keys.domains(id), domainOf(id), packed)
      await loader.add('RPUSH', keys.audit(id), ...trail.map((line) => line.replaceAll(first, id)))
      await loader.add('PEXPIRE', keys.audit(id), kept)
    }
    await loader.add('RPUSH', keys.tenantsAudit, ...ids.map((id) => added.replaceAll(first, id)))
    await loader.add('SADD', keys.tenants, ...ids)
    await loader.add('HSET', keys.ownerNames, ...ids.flatMap((id) => [domainOf(id), `- ${id}`]))
    const reversed = ids.flatMap((id) => ['0', reverseLabels(domainOf(id))])
    await loader.add('ZADD', keys.ownerIndex, ...reversed)
  }
  await loader.end()
  return { count, domainsToken, idAt: idOf }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at)
}

/** What {@link Ledger.charge} needs to count one recipient of such a tenant. */
export function chargeFor(tenant: string, domainsToken: string, transaction = 'FIRST.1') {
  return {
    tenant,
    meter: 'unregistered',
    transaction,
    ordinal: 1,
    domainsToken,
    domain: 'elsewhere.example',
    connector: `${tenant}/mail`,
    ip: '192.0.2.1',
  } as const
}

/**
 * One tenant with these settings and a domain of its own.
 *
 * @returns what {@link Ledger.charge} needs to count one recipient of it.
 */
export async function seedTenant(
  store: Store,
  tenant: string,
  settings: TenantSettings,
): Promise<(transaction: string) => ReturnType<typeof chargeFor>> {
  const { client, keys } = store
  const registry = new Registries(store)
  await registry.tenants.add(tenant, settings, BY)
  const domain = domainOf(tenant)
  await registry.domains.add(tenant, [{ domain, subdomains: false, shared: false }], BY)
  const domainsToken = (await client.hget(keys.tenant(tenant), 'domains')) ?? ''
  return (transaction) => chargeFor(tenant, domainsToken, transaction)
}

/** Gives a tenant so many accepted domains, in the form in which the registry packs them. */
export async function seedDomains(
  store: Store,
  tenant: string,
  count: number,
  fields: TenantSettings = {},
): Promise<void> {
  const { client, keys } = store
  const registry = new Registries(store)
  await registry.tenants.add(tenant, fields, BY)
  const [domain, ...others] = Array.from({ length: count }, (_, number) => `customer-${number}.com`)
  if (domain === undefined) return
  await registry.domains.add(tenant, [{ domain, subdomains: false, shared: false }], BY)
  const packed = (await client.hget(keys.domains(tenant), domain)) ?? ''
  for (const batch of batchesOf(others, BATCH)) {
    await client.hset(keys.domains(tenant), ...batch.flatMap((name) => [name, packed]))
    await client.hset(keys.ownerNames, ...batch.flatMap((name) => [name, `- ${tenant}`]))
    await client.zadd(keys.ownerIndex, ...batch.flatMap((name) => ['0', reverseLabels(name)]))
  }
}

/**
 * Gives so many tenants a connector each, for an address of the loopback of its own.
 *
 * @returns these addresses
 */
export async function seedAddresses(
  store: Store,
  count: number,
  idAt: (number: number) => string,
): Promise<readonly string[]> {
  const registry = new Registries(store)
  const ips = range(1, count + 1).map((number) => `127.1.${number >> 8}.${number & 255}`)
  for (const [at, ip] of ips.entries()) {
    const identities = { ip: [`${ip}/32`], cert: [], certSha256: [], auth: [] }
    await registry.connectors.add(idAt(at), 'loopback', identities, BY)
  }
  return ips
}

/** Connectors of one tenant, each with one address, in the form in which the registry packs them. */
export async function seedConnectors(store: Store, tenant: string, count: number): Promise<void> {
  const { client, keys } = store
  const [first, ...others] = Array.from({ length: count }, (_, number) => ({
    name: `mail-${number}`,
    ip: `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}/32`,
  }))
  if (!first) return
  const identities = { ip: [first.ip], cert: [], certSha256: [], auth: [] }
  await new Registries(store).connectors.add(tenant, first.name, identities, BY)
  const json = (await client.hget(keys.connectors, `${tenant}/${first.name}`)) ?? ''
  for (const batch of batchesOf(others, BATCH)) {
    const fields = batch.flatMap(({ name, ip }) => [
      `${tenant}/${name}`,
      json.replace(first.ip, ip),
    ])
    await client.hset(keys.connectors, ...fields)
    const owned = batch.flatMap(({ name, ip }) => [`ip:${ip}`, `${tenant}/${name}`])
    await client.hset(keys.connectorIdentities, ...owned)
  }
}

function idOf(number: number): string {
  return `tenant-${String(number).padStart(6, '0')}`
}

function domainOf(id: string): string {
  return `${id}.com`
}
