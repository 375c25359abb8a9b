import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Cluster } from 'ioredis'
import { freePort } from '../../scripts/services/port'
import { waitFor } from '../../scripts/services/wait-for'
import { Restrictions } from '../../src/restriction/restriction'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { applyTenantsFile } from '../../src/tenants/apply'
import { findInconsistencies, repair } from '../../src/tenants/consistency'
import { ownerOf } from '../../src/tenants/owners'
import { Registry } from '../../src/tenants/registry'
import { parseTenantsFile } from '../../src/tenants/tenants-file'
import { startRedis, type TestRedis } from '../support/redis'
import { assertConsistent } from '../support/registry'

/** Two primaries with half of the 16,384 slots each. */
describe('on a Redis Cluster', () => {
  const nodes: TestRedis[] = []
  let cluster: Cluster
  let store: Store
  let registry: Registry

  before(async () => {
    const buses = [await freePort(), await freePort()] as const
    for (const bus of buses) {
      const args = ['--cluster-enabled', 'yes', '--cluster-port', String(bus)]
      nodes.push(await startRedis({ args }))
    }
    const [one, two] = nodes.map((node) => node.client())
    await one!.call('CLUSTER', 'ADDSLOTSRANGE', '0', '8191')
    await two!.call('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383')
    await one!.call('CLUSTER', 'MEET', '127.0.0.1', String(nodes[1]!.port), String(buses[1]))
    for (const client of [one!, two!]) {
      await waitFor(
        async () => /cluster_state:ok/.test(String(await client.call('CLUSTER', 'INFO'))),
        {
          what: 'both nodes know of all slots',
        },
      )
    }
    cluster = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
    cluster.on('error', () => {})
    store = new Store(cluster, new Keys('ud:'))
    registry = new Registry(store)
  })

  after(async () => {
    cluster.disconnect()
    await Promise.all(nodes.map((node) => node.stop()))
  })

  it('all that the registry does keeps to one slot at a time', async () => {
    const ids = Array.from({ length: 40 }, (_, at) => `t${at}`)
    for (const id of ids) await registry.addTenant(id, {}, 'root')
    assert.deepEqual(
      (await registry.listTenants()).map(({ id }) => id),
      [...ids].sort(),
    )
    await registry.setTenant('t1', { limits: '1/1h' })
    const domains = Array.from({ length: 600 }, (_, at) => ({
      domain: `d${at}.example`,
      subdomains: at % 2 === 0,
      shared: false,
    }))
    await registry.addDomains('t1', domains, 'root')
    await registry.moveDomain('d0.example', 't2', 'root')
    assert.equal(await ownerOf(store, 'x.d0.example'), 't2')
    await assert.rejects(
      registry.addDomains('t3', [{ ...domains[1]!, domain: 'x.d2.example' }], 'root'),
    )
    await registry.removeDomains('t1', ['d1.example'])
    await registry.addConnector('t1', 'hq', { ip: ['192.0.2.1'] }, 'root')
    await registry.setConnectorEnabled('t1', 'hq', false)
    const file = parseTenantsFile('id: a\ntenants: { t1: { domains: [d3.example] }, new: {} }', 't')
    assert.equal((await applyTenantsFile(registry, file)).updated.length, 2)
    await new Restrictions(store).place('t4', { scope: 'all', by: 'root', reason: 'test' })
    await assertConsistent(store)
    await registry.removeTenant('t1')
    await assertConsistent(store)
    assert.equal((await registry.listTenants()).length, 40)
  })

  it('what does not fit is found on every primary', async () => {
    const ids = (await registry.listTenants()).map(({ id }) => id)
    await cluster.del(store.keys.tenants)
    await cluster.del(store.keys.restricted)
    const found = await findInconsistencies(store)
    assert.equal(found.length, ids.length + 1)
    await repair(store, found)
    await assertConsistent(store)
    assert.deepEqual(
      (await registry.listTenants()).map(({ id }) => id),
      ids,
    )
  })
})
