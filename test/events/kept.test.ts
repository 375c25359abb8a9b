import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EventStream } from '../../src/events/stream'
import type { Event } from '../../src/records/event'
import type { Store } from '../../src/store/store'
import { factsOf } from '../support/events'
import { newSite, useRedis } from '../support/registry'

useRedis()

const HOUR = 3_600_000
const DAY = 24 * HOUR

let events = 0

function anEvent(kind: Event['kind'] = 'allowance'): Event {
  const id = `evt_kept-${++events}`
  return { ...factsOf(kind), kind, id, at: Date.now() } as unknown as Event
}

/** Puts entries into the stream, of a time in the past. */
async function fill({ client, keys }: Store, count: number, ago: number): Promise<void> {
  await client.eval(
    `for at = 1, ARGV[1] do
       redis.call('XADD', KEYS[1], ARGV[2] .. '-' .. at, 'kind', 'allowance', 'tenant', 'contoso', 'joined', '', 'json', '{}')
     end`,
    ...([1, keys.events, count, Date.now() - ago] as const),
  )
}

async function countSince({ client, keys }: Store, ago: number): Promise<number> {
  return (await client.xrange(keys.events, Date.now() - ago, '+')).length
}

describe('the stream of events', () => {
  it('keeps events of 30 days, and drops older ones', async () => {
    const { store } = newSite()
    await fill(store, 300, 31 * DAY)
    await fill(store, 300, 29 * DAY)
    await new EventStream(store).publish('contoso', anEvent())
    assert.equal(await countSince(store, 30 * DAY), 301)
    assert.equal(await store.client.xlen(store.keys.events), 301)
  })

  it('drops earlier what is older than a day, little by little, while there are too many', async () => {
    const { store } = newSite()
    await fill(store, 50_000, 2 * DAY)
    await fill(store, 5000, HOUR)
    const stream = new EventStream(store)
    await stream.publish('contoso', anEvent())
    assert.equal(await store.client.xlen(store.keys.events), 54_901)
    for (let at = 0; at < 60; at++) await stream.publish('contoso', anEvent())
    assert.ok((await store.client.xlen(store.keys.events)) <= 50_001)
    assert.equal(await countSince(store, DAY), 5061)
  })

  it('only counts what joins an alert in a flood, so that no alert of the last day is pushed out', async () => {
    const { store } = newSite()
    const stream = new EventStream(store)
    await stream.publish('fabrikam', anEvent('restricted'))
    const [begun] = await stream.publish('contoso', anEvent())
    const [first] = await store.client.xrange(store.keys.events, '-', '+', 'COUNT', 1)
    await store.client.eval(
      `for _ = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'kind', 'allowance', 'tenant', 'contoso', 'joined', '1', 'json', '{}') end`,
      ...([1, store.keys.events] as const),
    )
    const before = await store.client.xlen(store.keys.events)
    const [joined] = await stream.publish('contoso', anEvent())
    assert.deepEqual([joined?.alert, joined?.count], [begun?.id, 2])
    assert.equal(await store.client.xlen(store.keys.events), before)
    const [kept] = await store.client.xrange(store.keys.events, '-', '+', 'COUNT', 1)
    assert.deepEqual(kept, first)
    await stream.publish('contoso', anEvent('lifted'))
    assert.ok((await store.client.xlen(store.keys.events)) <= 100_200)
  })

  it('is bounded where the ACL file of an earlier version does not allow XLEN', async () => {
    const { store } = newSite()
    const { client, keys } = store
    await client.acl('SETUSER', 'earlier', 'on', '>earlier', '~*', '&*', '+@all', '-xlen')
    await client.auth('earlier', 'earlier')
    const [alert] = await new EventStream(store).publish('contoso', anEvent())
    assert.equal((await client.xrange(keys.events, '-', '+')).length, 1)
    assert.ok(alert)
  })

  it('counts events by kind and severity, also those that joined, each once', async () => {
    const { store } = newSite()
    const stream = new EventStream(store)
    const first = anEvent()
    for (const event of [first, first, anEvent(), anEvent('restricted')]) {
      await stream.publish('contoso', event)
    }
    assert.deepEqual(await store.client.hgetall(store.keys.eventCounts), {
      'allowance\tLow': '2',
      'restricted\tHigh': '1',
      'restricted by\tautomatic': '1',
    })
  })
})
