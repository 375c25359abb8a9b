import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Snoozes } from '../../src/alerts/snoozes'
import { EventStream } from '../../src/events/stream'
import { purgeTenant } from '../../src/operations/purge'
import type { Alert, Event } from '../../src/records/event'
import { removeTenant } from '../../src/registry/tenant-removal'
import type { Store } from '../../src/store/store'
import { NOON, TestClock } from '../support/clock'
import { entries, factsOf } from '../support/events'
import { newSite, useRedis } from '../support/registry'

useRedis()

const DAY = 86_400_000
const TERMS = { kind: 'allowance', by: 'ann "the" admin', reason: 'a newsletter' } as const

let events = 0

function anEvent(kind: Event['kind'], facts: object = {}): Event {
  const id = `evt_snooze-${++events}`
  return { ...factsOf(kind), kind, id, at: NOON, ...facts } as unknown as Event
}

/** The titles of what channels deliver: they skip what has joined. */
async function delivered(store: Store): Promise<string[]> {
  return (await entries(store))
    .filter(({ joined }) => !joined)
    .map(({ kind, tenant }) => `${kind} ${tenant}`)
}

async function publish(store: Store, tenant: string, event: Event): Promise<Alert> {
  const [alert] = await new EventStream(store).publish(tenant, event)
  return alert!
}

describe('a snooze', () => {
  it('keeps alerts of its tenant and kind from being delivered, and the event says so', async () => {
    const { store } = newSite()
    const { until } = await new Snoozes(store).add({ tenant: 'contoso', ...TERMS }, DAY)
    const alert = await publish(store, 'contoso', anEvent('allowance'))
    assert.deepEqual(alert.snoozed, { until, by: TERMS.by })
    await publish(store, 'contoso', anEvent('unusual'))
    await publish(store, 'contoso', anEvent('restricted'))
    await publish(store, 'fabrikam', anEvent('allowance'))
    assert.deepEqual(await delivered(store), [
      'unusual contoso',
      'restricted contoso',
      'allowance fabrikam',
    ])
    const [first] = await entries(store)
    assert.deepEqual(first?.alert.snoozed, { until, by: TERMS.by })
  })

  it('keeps back what ends a snoozed event, even after it, and no end of one that was delivered', async () => {
    const { store } = newSite()
    const snoozes = new Snoozes(store)
    const told = await publish(store, 'contoso', anEvent('allowance'))
    await snoozes.add({ tenant: 'contoso', ...TERMS }, DAY)
    const untold = await publish(store, 'contoso', anEvent('allowance'))
    await publish(store, 'contoso', anEvent('resolved', { resolves: told.id }))
    await snoozes.end('contoso')
    await publish(store, 'contoso', anEvent('resolved', { resolves: untold.id, percent: 80 }))
    assert.deepEqual(await delivered(store), ['allowance contoso', 'resolved contoso'])
    assert.equal(await store.client.exists(store.keys.snoozed), 0, 'nothing is left')
  })

  it('ends by itself, and the next event is an alert, though one of the same group was snoozed', async () => {
    const clock = new TestClock()
    const { store } = newSite(clock.includes)
    await clock.set(store, NOON)
    const until = NOON + 60_000
    await store.client.hset(store.keys.snoozed, 'contoso\tallowance', `${until}\tann\tx`)
    await publish(store, 'contoso', anEvent('allowance'))
    await clock.set(store, until)
    const after = await publish(store, 'contoso', anEvent('allowance'))
    assert.deepEqual([after.snoozed, after.count], [undefined, 1])
    assert.deepEqual(await delivered(store), ['allowance contoso'])
    await clock.advance(store, DAY)
    assert.deepEqual(await new EventStream(store).closeGroups(), [])
    assert.equal(await store.client.hexists(store.keys.snoozed, 'contoso\tallowance'), 0)
  })

  it('is listed until it is over', async () => {
    const { store } = newSite()
    const snoozes = new Snoozes(store)
    await store.client.hset(store.keys.snoozed, 'old\tunusual', `${Date.now() - 1}\tann\tx`)
    await snoozes.add({ tenant: 'fabrikam', ...TERMS }, DAY)
    await snoozes.add({ tenant: 'contoso', ...TERMS, kind: 'unusual' }, DAY)
    const names = (await snoozes.list()).map(({ tenant, kind }) => `${tenant} ${kind}`)
    assert.deepEqual(names, ['contoso unusual', 'fabrikam allowance'])
    assert.equal(await store.client.hlen(store.keys.snoozed), 2)
    assert.equal((await snoozes.end('contoso', ['allowance'])).length, 0)
    assert.equal((await snoozes.end('contoso')).length, 1)
  })

  it('is forgotten with its tenant, and all about it when that is purged', async () => {
    const { store, registry } = newSite()
    for (const tenant of ['contoso', 'fabrikam']) {
      await registry.tenants.add(tenant, {}, 'root')
      await new Snoozes(store).add({ tenant, ...TERMS }, DAY)
      await publish(store, tenant, anEvent('allowance'))
    }
    await removeTenant(store, 'contoso')
    assert.equal(await store.client.hexists(store.keys.snoozed, 'contoso\tallowance'), 0)
    await purgeTenant(store, 'contoso')
    const left = await store.client.hgetall(store.keys.snoozed)
    assert.doesNotMatch(JSON.stringify(left), /contoso/)
    assert.equal(Object.keys(left).length, 2)
  })
})
