import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  seedAddresses,
  seedConnectors,
  seedDomains,
  seedTenants,
  TENANT_NAME,
} from '../../bench/seed'
import { openStore } from '../../bench/store'
import type { Store } from '../../src/store/store'
import { Registries } from '../support/registries'
import { startRedis, type TestRedis } from '../support'
import { contentsOf } from '../support/contents'

const DOMAIN = { subdomains: false, shared: false }

/**
 * All that a Redis holds, without times and tokens, and without what tells by how many changes it came to be so: their
 * number, and the trails of the connectors and of the tenant whose domains are copied.
 */
async function contents(store: Store): Promise<Record<string, unknown>> {
  const { keys } = store
  const left = [keys.ownerVersion, keys.connectorsAudit, keys.audit('contoso')]
  const found = [...(await contentsOf(store))].filter(([key]) => !left.includes(key))
  const text = JSON.stringify(found).replaceAll(/\d{16}-[0-9a-f]+/g, 'TOKEN')
  const entries = JSON.parse(text.replaceAll(/\d{13,16}/g, 'TIME')) as [string, string[]][]
  // In the order of those times.
  return Object.fromEntries(
    entries.map(([key, each]) => [key, key === keys.tenantsAudit ? each.sort() : each]),
  )
}

describe('what the benchmark fills Redis with', () => {
  let seeded: TestRedis
  let registered: TestRedis
  let fast: Store
  let slow: Store
  let registry: Registries

  before(async () => {
    seeded = await startRedis()
    registered = await startRedis()
    fast = await openStore(seeded.port)
    slow = await openStore(registered.port)
    registry = new Registries(slow)
  })

  after(async () => {
    for (const store of [fast, slow]) store?.client.disconnect()
    await seeded?.stop()
    await registered?.stop()
  })

  it('is what the registry would write', async () => {
    const tenants = await seedTenants(fast, seeded.port, 3, { limits: '5/1h' })
    await seedDomains(fast, 'contoso', 3, { limits: '7/1h' })
    await seedConnectors(fast, 'contoso', 3)
    await seedAddresses(fast, 2, tenants.idAt)

    for (const id of ['tenant-000000', 'tenant-000001', 'tenant-000002']) {
      await registry.tenants.add(id, { name: TENANT_NAME, limits: '5/1h' }, 'bench')
      await registry.domains.add(id, [{ ...DOMAIN, domain: `${id}.com` }], 'bench')
    }
    await registry.tenants.add('contoso', { limits: '7/1h' }, 'bench')
    for (const number of [0, 1, 2]) {
      const domain = `customer-${number}.com`
      await registry.domains.add('contoso', [{ ...DOMAIN, domain }], 'bench')
      const ip = [`10.0.0.${number}/32`]
      const identities = { ip, cert: [], certSha256: [], auth: [] }
      await registry.connectors.add('contoso', `mail-${number}`, identities, 'bench')
    }
    for (const number of [0, 1]) {
      const identities = { ip: [`127.1.0.${number + 1}/32`], cert: [], certSha256: [], auth: [] }
      await registry.connectors.add(`tenant-00000${number}`, 'loopback', identities, 'bench')
    }
    assert.deepEqual(await contents(fast), await contents(slow))
  })
})
