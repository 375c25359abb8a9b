import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { waitFor } from '../../scripts/services/wait-for'
import { followClock, resumeWindows } from '../../src/allowance/clock-steps'
import type { Alert } from '../../src/records/event'
import { Forwarder } from '../../src/events/forwarder'
import { resolveEnded } from '../../src/events/sweep'
import { closeGroups, forwardLeft } from '../../src/process/duties'
import { Leader } from '../../src/process/leader'
import { DEFAULTS } from '../support/allowance'
import { assertAllRan, ClusterSite } from '../support/cluster'
import { entries, raise } from '../support/events'

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

  it('move from the slots of the tenants into one stream, each once', async () => {
    const [site] = sites
    const { store, registry, restrictions } = site!
    const tenants = Array.from({ length: 12 }, (_, at) => `t${at}`)
    for (const id of tenants) {
      await registry.tenants.add(id, { limits: '4/1d' }, 'test')
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
    // Events that no process was told about are found.
    await Promise.all(forwarders.map((each, at) => forwardLeft(sites[at]!.store, each).run()))
    for (const forwarder of forwarders) {
      await forwarder.whenIdle()
      await resolveEnded(store, forwarder, () => DEFAULTS).run()
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

  it('are resolved without mail if the usage was deleted', async () => {
    const { store, registry, client } = sites[0]!
    const forwarder = new Forwarder(store, () => Promise.resolve(), {
      onAlert() {},
      onError: (message) => assert.fail(message),
    })
    const tenants = Array.from({ length: 6 }, (_, at) => `gone${at}`)
    for (const id of tenants) {
      await registry.tenants.add(id, { limits: '2/1d' }, 'test')
      await sites[0]!.charge(id)
      await forwarder.forward(id)
      await client.del(store.keys.usage(id))
    }
    await resolveEnded(store, forwarder, () => DEFAULTS).run()
    await forwarder.whenIdle()
    const found = await entries(store)
    for (const id of tenants) {
      const own = found.filter(({ tenant }) => tenant === id).map(({ kind }) => kind)
      assert.deepEqual(own, ['allowance', 'resolved'], id)
    }
    assert.equal(await client.exists(store.keys.eventsOpen), 0)
  })

  it('leave windows working after the clock was set back, on every primary', async () => {
    const { store, registry, client } = sites[0]!
    const tenants = Array.from({ length: 6 }, (_, at) => `ahead${at}`)
    const [hour, day] = [3_600_000, 86_400_000]
    const newest = Math.floor((Date.now() + day) / (hour / 60))
    const ring = Buffer.alloc(256)
    ring.writeDoubleLE(newest, 0)
    ring.writeUInt32LE(1, 8)
    ring.writeUInt32LE(1, 12 + 4 * (newest % 61))
    for (const id of tenants) {
      await registry.tenants.add(id, { limits: '2/1h' }, 'test')
      await client.hset(store.keys.usage(id), `u${hour}`, ring)
    }
    await followClock(store, () => {}).run()
    await resumeWindows(store)
    for (const id of tenants) {
      assert.equal(await client.hstrlen(store.keys.usage(id), `u${hour}`), 264)
      assert.equal(await sites[0]!.used(id), 1)
    }
  })

  it('of one alert are counted in a further entry, by the leader alone', async () => {
    const { store, registry } = sites[0]!
    await registry.tenants.add('often', {}, 'test')
    const reported: Alert[] = []
    const events = { onAlert: (alert: Alert) => reported.push(alert), onError: assert.fail }
    const candidates = sites.map((site) => {
      const forwarder = new Forwarder(site.store, () => Promise.resolve(), events)
      const leader = new Leader(site.store, () => Promise.resolve(), assert.fail)
      leader.add(closeGroups(forwarder, events))
      return { leader, forwarder }
    })
    for (let times = 0; times < 3; times++) await raise(store, 'often', 'unusual')
    await candidates[0]!.forwarder.forward('often')
    const alerts = await store.client.zrange(store.keys.eventsDue, '0', '-1')
    for (const alert of alerts) await store.client.zadd(store.keys.eventsDue, 0, alert)
    reported.length = 0
    for (const { leader } of candidates) leader.start()
    await waitFor(() => reported.some(({ tenant }) => tenant === 'often'))
    await waitFor(() => candidates.filter(({ leader }) => leader.isLeading).length === 1)
    for (const { leader } of candidates) leader.stop()
    assert.deepEqual(
      reported.filter(({ tenant }) => tenant === 'often').map(({ kind, count }) => [kind, count]),
      [['unusual', 3]],
    )
    assertAllRan(sites, (folder) => folder === 'events')
  })
})
