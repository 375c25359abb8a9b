import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import type { Alert } from '../../src/records/event'
import { Forwarder, type ForwarderEvents } from '../../src/events/forwarder'
import { connect } from '../../src/store/connection'
import { Store } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { entries, published, raise, waiting } from '../support/events'
import { startRedisProxy } from '../support/redis-proxy'
import { newSite, theRedis, useRedis } from '../support/registry'

const KINDS = ['allowance', 'allowance', 'restricted', 'lifted', 'unusual', 'resolved'] as const

useRedis()

async function raiseAll(store: Store, tenant: string): Promise<string[]> {
  const ids: string[] = []
  for (const kind of KINDS) ids.push(await raise(store, tenant, kind))
  return ids
}

function forwarderOf(store: Store, events: Partial<ForwarderEvents> = {}): Forwarder {
  return new Forwarder(store, () => Promise.resolve(), {
    onAlert() {},
    onError: (message) => assert.fail(message),
    ...events,
  })
}

describe('an event', () => {
  it('is in the stream once if its forwarder is cut off at any command', async () => {
    let complete = false
    for (let commands = 0; !complete; commands++) {
      const site = newSite()
      const ids = await raiseAll(site.store, 'contoso')
      // One more for the listener of the client.
      complete = await forwarderOf(site.connectUntil(commands + 1))
        .forward('contoso')
        .then(
          () => true,
          () => false,
        )
      await forwarderOf(site.store).forward('contoso')
      assert.deepEqual(await published(site.store), ids, `after ${commands} commands`)
      assert.deepEqual(await waiting(site.store.client, site.store.keys.tenant('contoso')), [])
    }
  })

  it('is there once if six forwarders move it while others are raised', async () => {
    const site = newSite()
    const ids: string[] = []
    const alerts: Alert[] = []
    const all = Array.from({ length: 6 }, () =>
      forwarderOf(site.connect(), { onAlert: (alert) => alerts.push(alert) }),
    )
    for (let round = 0; round < 15; round++) {
      ids.push(...(await raiseAll(site.store, 'contoso')))
      for (const each of all) each.pending('contoso')
    }
    await Promise.all(all.map((each) => each.whenIdle()))
    assert.deepEqual(await published(site.store), ids)
    // One of them has reported each.
    assert.deepEqual(alerts.map(({ id }) => id).sort(), [...ids].sort())
    assert.deepEqual(await waiting(site.store.client, site.store.keys.tenant('contoso')), [])
  })

  it('is there once if answers are lost and connections break', async (t) => {
    const site = newSite()
    const way = await startRedisProxy(theRedis().port)
    t.after(() => way.stop())
    const settings = settingsFor(way, { commandTimeout: 100 })
    const far = new Store(
      connect(settings, () => {}),
      site.store.keys,
    )
    t.after(() => far.client.disconnect())
    await waitFor(() => far.client.status === 'ready')
    const near = forwarderOf(site.store)
    const distant = forwarderOf(far)
    const ids: string[] = []
    const faults = [
      () => way.hold(),
      () => way.holdCommands(),
      () => way.cut(),
      () => {
        way.holdCommands()
        way.strand()
      },
    ]
    for (let round = 0; round < 12; round++) {
      const tenant = `t${round % 3}`
      ids.push(...(await raiseAll(site.store, tenant)))
      distant.pending(tenant)
      const fault = faults[round % faults.length]!
      fault()
      if (round % 2 === 0) near.pending(tenant)
      await near.whenIdle()
      way.release()
    }
    for (const tenant of ['t0', 't1', 't2']) distant.pending(tenant)
    await distant.whenIdle()
    assert.deepEqual((await published(site.store)).sort(), [...ids].sort())
  })

  it('comes after all earlier events of its tenant', async () => {
    const site = newSite()
    const tenants = Array.from({ length: 10 }, (_, at) => `t${at}`)
    const all = Array.from({ length: 4 }, () => forwarderOf(site.connect()))
    const ids = new Map<string, string[]>()
    for (let round = 0; round < 3; round++) {
      for (const tenant of tenants) {
        const raised = await raiseAll(site.store, tenant)
        ids.set(tenant, [...(ids.get(tenant) ?? []), ...raised])
        for (const each of all) each.pending(tenant)
      }
    }
    await Promise.all(all.map((each) => each.whenIdle()))
    const found = await entries(site.store)
    for (const tenant of tenants) {
      const own = found.filter((each) => each.tenant === tenant)
      assert.deepEqual(
        own.map(({ alert }) => alert.id),
        ids.get(tenant),
      )
    }
  })
})
