import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { changedSince } from '../../src/audit/lately'
import { EventStream } from '../../src/events/stream'
import type { Alert, Event } from '../../src/records/event'
import { TenantRegistry } from '../../src/registry/tenant-registry'
import type { Store } from '../../src/store/store'
import { NOON, TestClock } from '../support/clock'
import { entries, factsOf } from '../support/events'
import { newSite, useRedis } from '../support/registry'

const MINUTE = 60_000

useRedis()

interface Stream {
  readonly store: Store
  readonly stream: EventStream
  readonly clock: TestClock
}

async function newStream(): Promise<Stream> {
  const clock = new TestClock()
  const { store } = newSite(clock.includes)
  await clock.set(store, NOON)
  const read = (tenants: readonly string[], since: number): Promise<string[]> =>
    changedSince(store, tenants, since)
  return { store, stream: new EventStream(store, read), clock }
}

function idOf(tenant: string, kind: Event['kind']): string {
  return `evt_${kind}-${tenant}`
}

function eventOf(tenant: string, kind: 'restricted' | 'lifted'): Event {
  const facts = { ...factsOf(kind), case: `${tenant}:1`, resolves: idOf(tenant, 'restricted') }
  return { ...facts, kind, id: idOf(tenant, kind), at: NOON } as unknown as Event
}

function restrict({ stream }: Stream, tenant: string): Promise<Alert[]> {
  return stream.publish(tenant, eventOf(tenant, 'restricted'))
}

function lift({ stream }: Stream, tenant: string): Promise<Alert[]> {
  return stream.publish(tenant, eventOf(tenant, 'lifted'))
}

function names(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, at) => `tenant-${at + from}`)
}

async function restrictAll(stream: Stream, tenants: readonly string[]): Promise<void> {
  for (const tenant of tenants) await restrict(stream, tenant)
}

/** Kind and tenant of the entries that channels deliver. */
async function told({ store }: Stream): Promise<string[]> {
  return (await entries(store))
    .filter(({ joined }) => !joined)
    .map(({ kind, tenant, alert: { count } }) =>
      [kind, tenant, kind === 'many_restricted' ? count : ''].filter(Boolean).join(' '),
    )
}

describe('more than ten restrictions within five minutes', () => {
  it('are one alert from the eleventh on, which says how many they were at its end', async () => {
    const stream = await newStream()
    await restrictAll(stream, names(10))
    assert.equal((await told(stream)).length, 10)
    const [begun, own] = await restrict(stream, 'tenant-10')
    assert.deepEqual([begun?.kind, begun?.count, begun?.tenant], ['many_restricted', 11, ''])
    assert.deepEqual([own?.alert, own?.contact], [begun?.id, 'held'])
    await stream.clock.advance(stream.store, 2 * MINUTE)
    await restrictAll(stream, names(26, 11))
    const alone = names(10).map((tenant) => `restricted ${tenant}`)
    assert.deepEqual(await told(stream), [...alone, 'many_restricted 11'])
    assert.deepEqual(await stream.stream.closeGroups(), [])
    await stream.clock.advance(stream.store, 3 * MINUTE)
    const [last] = await stream.stream.closeGroups()
    assert.deepEqual([last?.kind, last?.alert, last?.count], ['many_restricted', begun?.id, 37])
    assert.deepEqual(await told(stream), [...alone, 'many_restricted 11', 'many_restricted 37'])
    // The next one is an alert of its own.
    await stream.clock.advance(stream.store, 5 * MINUTE)
    await restrict(stream, 'later')
    assert.equal((await told(stream)).at(-1), 'restricted later')
  })

  it('are told once, however often they are published', async () => {
    const stream = await newStream()
    for (const tenant of names(12)) {
      await restrict(stream, tenant)
      assert.deepEqual(await restrict(stream, tenant), [])
    }
    assert.equal((await told(stream)).length, 11)
    assert.equal((await entries(stream.store)).length, 13)
    await stream.clock.advance(stream.store, 5 * MINUTE)
    const [last] = await stream.stream.closeGroups()
    assert.equal(last?.count, 12)
    assert.deepEqual(await stream.stream.closeGroups(), [])
  })

  it('need no second alert where none came after the first', async () => {
    const stream = await newStream()
    await restrictAll(stream, names(11))
    await stream.clock.advance(stream.store, 15 * MINUTE)
    assert.deepEqual(await stream.stream.closeGroups(), [])
  })

  it('say what was changed of most of them shortly before, and by whom', async () => {
    const stream = await newStream()
    const registry = new TenantRegistry(stream.store)
    for (const tenant of names(11)) await registry.add(tenant, {}, 'test')
    const bobs = new TenantRegistry(stream.store.as('root\t\tbob'))
    for (const tenant of names(9)) await bobs.set(tenant, { limits: '1/1h' })
    await restrictAll(stream, names(10))
    const [begun] = await restrict(stream, 'tenant-10')
    assert.match(
      begun!.title,
      /^More than 10 tenants restricted within 5 minutes; tenant changed to limits=1\/1h at \d\d:\d\d by bob \(8 of 10\)$/,
    )
    assert.deepEqual(begun!.facts['tenants'], names(10, 1).sort())
    assert.ok(begun!.next.some((step) => step.startsWith('tenantctl unblock --since 20')))
  })

  it('are few where they come slowly, or are lifted meanwhile', async () => {
    const stream = await newStream()
    for (const tenant of names(20)) {
      await restrict(stream, tenant)
      await stream.clock.advance(stream.store, 30_001)
    }
    for (const tenant of names(20, 20)) {
      await restrict(stream, tenant)
      await lift(stream, tenant)
    }
    assert.ok((await told(stream)).every((each) => !each.startsWith('many')))
  })

  it('end with an alert where they began with one', async () => {
    const stream = await newStream()
    await restrictAll(stream, names(15))
    const before = (await told(stream)).length
    for (const tenant of names(15)) await lift(stream, tenant)
    assert.deepEqual(
      (await told(stream)).slice(before),
      names(10).map((tenant) => `lifted ${tenant}`),
    )
    const last = (await entries(stream.store)).at(-1)!.alert
    assert.deepEqual([last.tenant, last.kind, last.contact], ['tenant-14', 'lifted', 'held'])
    assert.match(last.alert, /^evt_[\da-f]{20}$/)
    // What is lifted is kept no longer.
    assert.equal(await stream.store.client.exists(stream.store.keys.eventsMany), 0)
  })
})
