import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { Forwarder } from '../../src/events/forwarder'
import { resolveEnded } from '../../src/events/sweep'
import { forwardLeft } from '../../src/events/tasks'
import { DEFAULTS } from '../support/allowance'
import { ClusterSite } from '../support/cluster'
import { entries } from '../support/events'

describe('events on a Redis Cluster', () => {
  let cluster: TestCluster
  let sites: ClusterSite[]
  before(async () => {
    cluster = await startRedisCluster()
    sites = await Promise.all(Array.from({ length: 3 }, () => ClusterSite.open(cluster)))
  })
  after(async () => {
    for (const site of sites ?? []) site.close()
    await cluster?.stop()
  })

  it('go from the slots of the tenants into one stream, each once, and end there', async () => {
    const [site] = sites
    const { store, registry, restrictions } = site!
    const tenants = Array.from({ length: 12 }, (_, at) => `t${at}`)
    for (const id of tenants) {
      await registry.addTenant(id, { limits: '4/1d' }, 'test')
      for (let times = 0; times < 5; times++) await site!.charge(id)
      await restrictions.lift(id, { by: 'ann', reason: 'clean', keepUsage: false })
    }
    const forwarders = sites.map(
      (each) =>
        new Forwarder(each.store, () => Promise.resolve(), {
          onAlert() {},
          onError: (message) => assert.fail(message),
        }),
    )
    // What nobody sees to is found.
    await Promise.all(forwarders.map((each, at) => forwardLeft(sites[at]!.store, each).run()))
    for (const forwarder of forwarders) {
      await forwarder.whenIdle()
      await resolveEnded(store, forwarder, () => DEFAULTS.limits).run()
      await forwarder.whenIdle()
    }

    const found = await entries(store)
    const kinds = ['allowance', 'allowance', 'lifted', 'resolved', 'resolved', 'restricted']
    for (const tenant of tenants) {
      const own = found.filter((each) => each.tenant === tenant).map(({ kind }) => kind)
      assert.deepEqual(own.sort(), kinds, tenant)
    }
    assert.equal(await store.client.exists(store.keys.eventsOpen), 0)
    assert.deepEqual(site!.errors, [])
  })
})
