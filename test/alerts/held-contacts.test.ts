import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Channel } from '../../src/alerts/channel'
import { DELIVERED } from '../../src/alerts/channel'
import { Dispatcher } from '../../src/alerts/dispatcher'
import { HeldContacts } from '../../src/alerts/held-contacts'
import { ContactChannel } from '../../src/alerts/mail'
import { AlertQueue } from '../../src/alerts/queue'
import { SCHEDULE } from '../../src/alerts/schedule'
import { EventStream } from '../../src/events/stream'
import { decideContacts } from '../../src/operations/contacts'
import type { Alert, Event } from '../../src/records/event'
import type { Store } from '../../src/store/store'
import { begun, SHIPPED_TEXTS } from '../support/alerts'
import { NOON, TestClock } from '../support/clock'
import { entries, factsOf } from '../support/events'
import { newSite, useRedis } from '../support/registry'
import { waitFor } from '../support'

const MINUTE = 60_000
const SKIPPED = { kind: 'skipped' }
const LOOKED_AGAIN = { kind: 'waiting', ms: 30_000 }

useRedis()

async function newStore(): Promise<{ store: Store; clock: TestClock; held: HeldContacts }> {
  const clock = new TestClock()
  const { store } = newSite(clock.includes)
  await clock.set(store, NOON)
  return { store, clock, held: new HeldContacts(store, () => Promise.resolve(clock.now)) }
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `tenant-${at}`)
}

/** Publishes an event of each tenant. @returns what a channel gets. */
async function publish(
  store: Store,
  kind: 'restricted' | 'lifted',
  tenants: readonly string[],
  at = NOON,
): Promise<Alert[]> {
  for (const tenant of tenants) {
    const facts = { ...factsOf(kind), case: `${tenant}:1`, resolves: `evt_restricted-${tenant}` }
    const event = { ...facts, kind, id: `evt_${kind}-${tenant}`, at } as unknown as Event
    await new EventStream(store).publish(tenant, event)
    await store.client.hset(store.keys.tenant(tenant), 'contact', `admin@${tenant}.example`)
  }
  const all = await entries(store)
  return tenants.map(
    (tenant) => all.find(({ alert }) => alert.id === `evt_${kind}-${tenant}`)!.alert,
  )
}

const fail = (...facts: readonly unknown[]): void => assert.fail(JSON.stringify(facts))

describe('the contact of a restricted tenant', () => {
  it('is mailed when five minutes have shown that the tenant is none of many', async () => {
    const { store, clock, held } = await newStore()
    const [alert] = await publish(store, 'restricted', ['contoso'])
    assert.deepEqual(await held.unlessMailed(alert!), LOOKED_AGAIN)
    await clock.advance(store, 5 * MINUTE - 1)
    assert.deepEqual(await held.unlessMailed(alert!), { kind: 'waiting', ms: 1 })
    await clock.advance(store, 1)
    assert.equal(await held.unlessMailed(alert!), undefined)
    const [lifted] = await publish(store, 'lifted', ['contoso'])
    assert.equal(await held.unlessMailed(lifted!), undefined)
  })

  it('is not mailed about a restriction that has been lifted meanwhile', async () => {
    const { store, clock, held } = await newStore()
    const [alert] = await publish(store, 'restricted', ['contoso'])
    await publish(store, 'lifted', ['contoso'])
    await clock.advance(store, 5 * MINUTE)
    assert.deepEqual(await held.unlessMailed(alert!), SKIPPED)
  })

  it('is mailed only by order of a person where many are restricted, the first of them too', async () => {
    const { store, clock, held } = await newStore()
    const alerts = await publish(store, 'restricted', names(12))
    await clock.advance(store, 10 * MINUTE)
    for (const alert of alerts) assert.deepEqual(await held.unlessMailed(alert), LOOKED_AGAIN)
    const listed = await held.list()
    assert.deepEqual(
      listed.map(({ tenant, address }) => [tenant, address]).sort(),
      names(12)
        .map((tenant) => [tenant, `admin@${tenant}.example`])
        .sort(),
    )
    const [first, second, ...others] = listed
    assert.equal((await decideContacts(store, [first!], 'send')).length, 1)
    assert.equal((await decideContacts(store, [first!, second!], 'drop')).length, 1)
    const alertOf = (tenant: string): Alert => alerts.find((each) => each.tenant === tenant)!
    assert.equal(await held.unlessMailed(alertOf(first!.tenant)), undefined)
    assert.deepEqual(await held.unlessMailed(alertOf(second!.tenant)), SKIPPED)
    for (const { tenant } of others) {
      assert.deepEqual(await held.unlessMailed(alertOf(tenant)), LOOKED_AGAIN)
    }
    assert.equal((await held.list()).length, 10)
    // Who was told of the beginning is told of the end.
    const lifted = await publish(store, 'lifted', names(12))
    for (const alert of lifted) {
      const expected = alert.tenant === first!.tenant ? undefined : SKIPPED
      assert.deepEqual(await held.unlessMailed(alert), expected, alert.tenant)
    }
    assert.deepEqual(await held.list(), [])
    const trail = await store.client.lrange(store.keys.audit(second!.tenant), 0, -1)
    assert.match(trail.join('\n'), /\tmail to contact\theld\tdrop\t/)
  })

  it('is listed for a day, as long as alerts are delivered', async () => {
    const { store, clock, held } = await newStore()
    await publish(store, 'restricted', names(11))
    await clock.advance(store, 24 * 60 * MINUTE - 1)
    assert.equal((await held.list()).length, 11)
    await clock.advance(store, 1)
    assert.deepEqual(await held.list(), [])
  })

  it('has its own mail though one alert tells operators of all', async (t) => {
    const { store } = newSite()
    const sent: string[] = []
    const settings = { webhook: '', webhookSecret: undefined, mailTo: ['ops@relay.example'] }
    const way = {
      ...{
        settings: () => ({ ...settings, mailFrom: '', contactTemplates: '' }),
        host: 'relay.example',
        templates: SHIPPED_TEXTS,
      },
      send: (to: readonly string[]) => Promise.resolve(void sent.push(...to)),
    }
    const contactOf = (tenant: string) =>
      Promise.resolve({ name: tenant, address: `admin@${tenant}.example` })
    const held = new HeldContacts(store)
    const told: string[] = []
    const operators: Channel = {
      ...{ name: 'webhook', destination: () => 'x' },
      deliver: (alert) => Promise.resolve(void told.push(alert.kind)).then(() => DELIVERED),
    }
    const contacts = new ContactChannel(way, contactOf, (alert) => held.unlessMailed(alert))
    for (const channel of [operators, contacts]) {
      const events = {
        ...{ onDelivered: () => {}, onFailed: fail, onGivenUp: fail },
        ...{ onDropped: fail, onError: () => {} },
      }
      const schedule = { ...SCHEDULE, steps: [20], interval: 10 }
      const queue = new AlertQueue(store, channel.name, schedule)
      const dispatcher = new Dispatcher(queue, channel, events)
      dispatcher.start()
      t.after(() => dispatcher.stop())
    }
    await begun(store, 2)
    await publish(store, 'restricted', names(14), Date.now())
    await waitFor(() => told.length === 11)
    await decideContacts(store, await held.list(), 'send')
    await waitFor(() => sent.length === 14)
    assert.deepEqual(
      sent.sort(),
      names(14)
        .map((tenant) => `admin@${tenant}.example`)
        .sort(),
    )
    assert.deepEqual(told, [...Array<string>(10).fill('restricted'), 'many_restricted'])
  })
})
