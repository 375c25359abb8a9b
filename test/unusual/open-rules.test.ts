import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Event, ResolvedEvent, UnusualEvent } from '../../src/records/event'
import { HOUR } from '../../src/reporting/calendar'
import type { Store } from '../../src/store/store'
import { OpenRules } from '../../src/unusual/open-rules'
import type { Finding } from '../../src/unusual/rules'
import { NOON, TestClock } from '../support/clock'
import { newSite, useRedis } from '../support/registry'

useRedis()

const VOLUME: Finding = { rule: 'volume', words: 'much', facts: { recipients: 143, of: 'a\tb' } }
const DOMAINS: Finding = { rule: 'domains', words: 'many', facts: { domains: 64 } }

interface Site {
  readonly store: Store
  readonly clock: TestClock
  readonly connect: () => Store
  readonly events: () => Promise<Event[]>
}

async function site(): Promise<Site> {
  const clock = new TestClock()
  const made = newSite(clock.includes)
  const { store, registry } = made
  await clock.set(store, NOON)
  await registry.tenants.add('contoso', {}, 'test')
  return {
    store,
    clock,
    connect: () => made.connect(),
    events: async () => {
      const text = await store.client.hget(store.keys.tenant('contoso'), 'events')
      return (text ?? '')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Event)
    },
  }
}

describe('OpenRules', () => {
  it('raises one event for each rule that begins to hold, over all processes', async () => {
    const { connect, store, events } = await site()
    const processes = [connect(), connect(), connect(), connect()].map(
      (each) => new OpenRules(each),
    )
    const raised = await Promise.all(
      processes.flatMap((each) => [
        each.update('contoso', [VOLUME, DOMAINS]),
        each.update('contoso', [VOLUME]),
      ]),
    )
    assert.equal(
      raised.reduce((sum, each) => sum + each, 0),
      2,
    )
    const [first, second] = (await events()) as UnusualEvent[]
    const found = new Map([first!, second!].map((each) => [each.rule, each]))
    const { id, ...rest } = found.get('volume')!
    assert.deepEqual(rest, { kind: 'unusual', at: NOON, ...VOLUME })
    assert.match(id, /^evt_[0-9a-f]{20}$/)
    assert.equal(found.get('domains')!.words, 'many')
    const open = await new OpenRules(store).of('contoso')
    assert.deepEqual(
      open.find(({ rule }) => rule === 'volume'),
      { rule: 'volume', event: id, since: NOON },
    )
  })

  it('resolves a rule once, after an hour in which it did not hold', async () => {
    const { store, clock, connect, events } = await site()
    const rules = new OpenRules(store)
    await rules.update('contoso', [VOLUME, DOMAINS])
    const began = (await events()).find((each) => 'rule' in each && each.rule === 'volume')!
    await clock.advance(store, HOUR / 2)
    assert.equal(await rules.update('contoso', [VOLUME]), 0)
    await clock.advance(store, HOUR / 2)
    assert.equal(await rules.update('contoso', [DOMAINS]), 0)
    await clock.advance(store, HOUR / 2)
    const others = [new OpenRules(connect()), new OpenRules(connect()), rules]
    const raised = await Promise.all(others.map((each) => each.update('contoso', [DOMAINS])))
    assert.deepEqual(raised.sort(), [0, 0, 1])
    const resolved = (await events()).at(-1) as ResolvedEvent
    assert.deepEqual(resolved, {
      id: resolved.id,
      kind: 'resolved',
      at: NOON + 1.5 * HOUR,
      resolves: began.id,
      of: 'unusual',
      rule: 'volume',
    })
    assert.deepEqual(
      (await rules.of('contoso')).map(({ rule }) => rule),
      ['domains'],
    )
    assert.equal(await rules.update('contoso', [VOLUME]), 1, 'it begins anew')
  })

  it('does not flap if a rule holds now and then', async () => {
    const { store, clock, events } = await site()
    const rules = new OpenRules(store)
    for (let look = 0; look < 50; look++) {
      await rules.update('contoso', look % 11 === 0 ? [VOLUME] : [])
      await clock.advance(store, 5 * 60_000)
    }
    assert.equal((await events()).length, 1)
  })

  it('keeps the tenants with open rules in the index, and no others', async () => {
    const { store, clock } = await site()
    const rules = new OpenRules(store)
    await rules.update('contoso', [])
    assert.deepEqual([...(await rules.tenants())], [])
    await rules.update('contoso', [VOLUME])
    assert.deepEqual([...(await rules.tenants())], ['contoso'])
    await clock.advance(store, HOUR)
    await rules.update('contoso', [])
    assert.deepEqual([...(await rules.tenants())], [])
    assert.equal(await store.client.exists(store.keys.unusual('contoso')), 0)
  })

  it('removes the rules of a removed tenant', async () => {
    const { store } = await site()
    const rules = new OpenRules(store)
    assert.equal(await rules.update('fabrikam', [VOLUME]), 0)
    assert.deepEqual([...(await rules.tenants())], [])
    assert.equal(await store.client.exists(store.keys.unusual('fabrikam')), 0)
    assert.equal(await store.client.exists(store.keys.tenant('fabrikam')), 0)

    await rules.update('contoso', [VOLUME, DOMAINS])
    await store.client.del(store.keys.tenant('contoso'))
    await rules.update('contoso', [])
    assert.deepEqual([...(await rules.tenants())], [])
    assert.equal(await store.client.exists(store.keys.unusual('contoso')), 0)
  })
})
