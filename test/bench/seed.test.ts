import assert from 'node:assert/strict'
import { it } from 'node:test'
import { seedAddresses, seedConnectors, seedTenant, seedTenants } from '../../bench/seed'
import { openStore } from '../../bench/store'
import type { Store } from '../../src/store/store'
import { Registries } from '../support/registries'
import { startRedis } from '../support'
import { contentsOf } from '../support/contents'

/**
 * All that a Redis holds without times and tokens, and without what depends on the number of changes: that number, and
 * the trail of the connectors.
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

it('the tenants and connectors that the benchmark copies are as the registry writes them', async () => {
  const [seeded, registered] = [await startRedis(), await startRedis()]
  const fast = await openStore(seeded.port)
  const slow = await openStore(registered.port)
  const { tenants, domains, connectors } = new Registries(slow)
  const by = 'bench'
  const identities = (ip: string) => ({ ip: [`${ip}/32`], cert: [], certSha256: [], auth: [] })
  const settings = { name: 'Example Inc.', limits: '5/1h' }

  const { idAt } = await seedTenants(fast, 3, settings)
  await seedAddresses(fast, 2, idAt)
  await seedTenant(fast, 'contoso', ['contoso.com'])
  await seedConnectors(fast, 'contoso', 3)

  const register = async (id: string, fields = {}): Promise<void> => {
    await tenants.add(id, fields, by)
    await domains.add(id, [{ domain: `${id}.com`, subdomains: false, shared: false }], by)
  }
  for (const number of [0, 1, 2]) await register(idAt(number), settings)
  for (const number of [0, 1]) {
    await connectors.add(idAt(number), 'loopback', identities(`127.1.0.${number + 1}`), by)
  }
  await register('contoso')
  for (const number of [0, 1, 2]) {
    await connectors.add('contoso', `mail-${number}`, identities(`10.0.0.${number}`), by)
  }

  assert.deepEqual(await contents(fast), await contents(slow))
  for (const store of [fast, slow]) store.client.disconnect()
  await Promise.all([seeded.stop(), registered.stop()])
})
