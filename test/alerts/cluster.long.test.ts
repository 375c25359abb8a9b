import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readBacklogs } from '../../src/alerts/backlog'
import { HeldContacts } from '../../src/alerts/held-contacts'
import { AlertQueue } from '../../src/alerts/queue'
import { SCHEDULE } from '../../src/alerts/schedule'
import { addToStream, anAlert, pending } from '../support/alerts'
import { assertAllRan, useClusterSite } from '../support/cluster'

describe('alerts on a Redis Cluster', () => {
  const site = useClusterSite()

  it('are claimed, put back and acknowledged', async () => {
    const { store } = site()
    const queue = new AlertQueue(store, 'webhook', { ...SCHEDULE, steps: [0] })
    await queue.turn(new Map(), 1)
    const alerts = [anAlert(), anAlert()]
    for (const alert of alerts) await addToStream(store, alert)
    const { due } = await queue.turn(new Map(), 8)
    assert.deepEqual(
      due.map(({ alert, tries }) => [alert, tries]),
      alerts.map((alert) => [alert, 1]),
    )
    const [first, second] = due
    const settled = new Map([
      [first!.id, { tries: 1, step: 0 }],
      [second!.id, { tries: 1, step: 1 }],
    ])
    const again = await queue.turn(settled, 8)
    assert.deepEqual(
      again.due.map(({ id, tries }) => [id, tries]),
      [[second!.id, 2]],
    )
    await queue.turn(new Map([[second!.id, { tries: 2, step: 0 }]]), 0)
    assert.equal(await pending(store, 'webhook'), 0)
    const [backlog] = await readBacklogs(store)
    assert.deepEqual([backlog?.channel, backlog?.waiting], ['webhook', 0])
    const held = { event: 'evt_1', tenant: 'contoso', since: 1, address: 'a@b.example' }
    await store.client.hset(store.keys.eventsMany, 'evt_1', 'evt_0\theld\t1\tcontoso')
    assert.deepEqual(await new HeldContacts(store).decide([held], 'send'), [held])
    assert.deepEqual(await new HeldContacts(store).decide([held], 'drop'), [])
    assertAllRan([site()], (folder) => folder === 'alerts')
  })
})
