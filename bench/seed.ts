import type { Ledger } from '../src/allowance/ledger'
import { reverseLabels } from '../src/names/domain'
import { pieces } from '../src/store/pieces'
import type { Store } from '../src/store/store'
import { Registry } from '../src/tenants/registry'
import { DEFAULTS } from './ledger-load'

const BY = 'bench'
const PIECE = 1_000

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
 * are to be active; the others are byte for byte copies of its keys (DUMP, RESTORE) with a domain of their own.
 *
 * @param ledger charges the first tenant once; without it all are idle.
 */
export async function seedTenants(
  store: Store,
  count: number,
  { limits = null, ledger }: { limits?: string | null; ledger?: Ledger } = {},
): Promise<SeededTenants> {
  const { client, keys } = store
  const first = idOf(0)
  const registry = new Registry(store)
  await registry.addTenant(first, { limits }, BY)
  await registry.addDomains(
    first,
    [{ domain: domainOf(first), subdomains: false, shared: false }],
    BY,
  )
  const domainsToken = (await client.hget(keys.tenant(first), 'domains')) ?? ''
  if (ledger) await ledger.charge(chargeFor(first, domainsToken), DEFAULTS)

  const tenant = await client.dumpBuffer(keys.tenant(first))
  const usage = ledger && (await client.dumpBuffer(keys.usage(first)))
  const packed = (await client.hget(keys.domains(first), domainOf(first))) ?? ''
  const others = Array.from({ length: count - 1 }, (_, number) => idOf(number + 1))
  for (const piece of pieces(others, PIECE)) {
    const pipeline = client.pipeline()
    for (const id of piece) {
      const domain = domainOf(id)
      pipeline.restore(keys.tenant(id), 0, tenant)
      if (usage) pipeline.restore(keys.usage(id), 0, usage)
      pipeline.hset(keys.domains(id), domain, packed)
      pipeline.sadd(keys.tenants, id)
      pipeline.hset(keys.ownerNames, domain, `- ${id}`)
      pipeline.zadd(keys.ownerIndex, 0, reverseLabels(domain))
    }
    await pipeline.exec()
  }
  return { count, domainsToken, idAt: idOf }
}

/** What {@link Ledger.charge} needs to count one recipient of such a tenant. */
export function chargeFor(tenant: string, domainsToken: string, transaction = 'FIRST.1') {
  return {
    tenant,
    meter: 'unregistered',
    transaction,
    ordinal: 1,
    domainsToken,
    names: () => ['elsewhere.example', 'example'],
    domain: 'elsewhere.example',
    connector: `${tenant}/mail`,
    ip: '192.0.2.1',
  } as const
}

/** Gives a tenant so many accepted domains, in the form in which the registry packs them. */
export async function seedDomains(store: Store, tenant: string, count: number): Promise<void> {
  const { client, keys } = store
  const registry = new Registry(store)
  await registry.addTenant(tenant, {}, BY)
  const [domain, ...others] = Array.from({ length: count }, (_, number) => `customer-${number}.com`)
  if (domain === undefined) return
  await registry.addDomains(tenant, [{ domain, subdomains: false, shared: false }], BY)
  const packed = (await client.hget(keys.domains(tenant), domain)) ?? ''
  for (const piece of pieces(others, PIECE)) {
    await client.hset(keys.domains(tenant), ...piece.flatMap((name) => [name, packed]))
  }
}

/** Connectors of one tenant, each with one address, in the form in which the registry packs them. */
export async function seedConnectors(store: Store, tenant: string, count: number): Promise<void> {
  const { client, keys } = store
  const registry = new Registry(store)
  await registry.addTenant(tenant, {}, BY)
  const [first, ...others] = Array.from({ length: count }, (_, number) => ({
    name: `mail-${number}`,
    ip: `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}/32`,
  }))
  if (!first) return
  const identities = { ip: [first.ip], cert: [], certSha256: [], auth: [] }
  await registry.addConnector(tenant, first.name, identities, BY)
  const json = (await client.hget(keys.connectors, `${tenant}/${first.name}`)) ?? ''
  for (const piece of pieces(others, PIECE)) {
    const fields = piece.flatMap(({ name, ip }) => [
      `${tenant}/${name}`,
      json.replace(first.ip, ip),
    ])
    await client.hset(keys.connectors, ...fields)
  }
}

function idOf(number: number): string {
  return `tenant-${String(number).padStart(6, '0')}`
}

function domainOf(id: string): string {
  return `${id}.com`
}
