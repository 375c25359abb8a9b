import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Forwarder } from '../../src/events/forwarder'
import { MISSING } from '../../src/nodes/node'
import { readNodes } from '../../src/nodes/read-nodes'
import { tellMissingHosts } from '../../src/process/missing-hosts'
import type { Store } from '../../src/store/store'
import { entries } from '../support/events'
import { beat } from '../support/nodes'
import { newSite, useRedis } from '../support/registry'

useRedis()

/** A run of the duty in a process that has just become the leader. */
async function lead(store: Store, noted = MISSING): Promise<void> {
  const events = { onAlert() {}, onError: assert.fail }
  const forwarder = new Forwarder(store, () => Promise.resolve(), events)
  await tellMissingHosts(store, forwarder, () => noted).run()
}

async function told(store: Store): Promise<string[]> {
  const all = await entries(store)
  return all.map(({ alert: { severity, kind, title } }) =>
    [severity, kind, title.replace(/ since .*/, '')].join(': '),
  )
}

const GONE = 'High: host_missing: Host mx3 is missing: no process there has reported'

describe('a host that is missing', () => {
  it('is told once, by any number of leaders, when none of its processes is left', async () => {
    const { store } = newSite()
    await beat(store, { id: 'mx1/a' })
    await beat(store, { id: 'mx3/b' }, MISSING)
    await beat(store, { id: 'mx3/c' }, MISSING - 5000)
    await lead(store)
    assert.deepEqual(await told(store), [])
    await beat(store, { id: 'mx3/c' }, MISSING)
    await lead(store)
    await lead(store)
    assert.deepEqual(await told(store), [GONE])
    const [{ alert }] = (await entries(store)) as [Awaited<ReturnType<typeof entries>>[0]]
    assert.deepEqual([alert.facts['host'], alert.facts['processes']], ['mx3', 2])
    assert.match(alert.next.join('\n'), /^tenantctl nodes forget mx3 {2}#/m)
  })

  it('is resolved when it is back, and told again the next time', async () => {
    const { store } = newSite()
    await beat(store, { id: 'mx3/b' }, MISSING)
    await lead(store)
    await beat(store, { id: 'mx3/d' })
    await lead(store)
    await lead(store)
    const back = 'Informational: resolved: Host mx3 reports again'
    assert.deepEqual(await told(store), [GONE, back])
    const [began, ended] = await entries(store)
    assert.equal(ended!.alert.resolves, began!.alert.id)
    await beat(store, { id: 'mx3/d' }, MISSING)
    await lead(store)
    assert.deepEqual(await told(store), [GONE, back, GONE])
  })

  it('is resolved when it was forgotten', async () => {
    const { store } = newSite()
    await beat(store, { id: 'mx3/b' }, MISSING)
    await lead(store)
    await store.client.del(store.keys.nodes, store.keys.nodesSeen)
    await lead(store)
    assert.deepEqual(await told(store), [GONE, 'Informational: resolved: Host mx3 was forgotten'])
  })

  it('is not told right after an outage of Redis, in which every process was silent', async () => {
    const { store } = newSite()
    await beat(store, { id: 'mx3/b' }, MISSING)
    await lead(store, MISSING - 1)
    assert.deepEqual(await told(store), [])
  })

  it('is none where its processes had said that they would end', async () => {
    const { store } = newSite()
    await beat(store, { id: 'mx3/b', draining: true }, MISSING)
    await lead(store)
    await lead(store)
    assert.deepEqual(await told(store), [])
    assert.deepEqual((await readNodes(store)).nodes, [])
    assert.equal(await store.client.zcard(store.keys.nodesSeen), 0)
  })
})
