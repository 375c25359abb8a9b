import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Config } from '../../src/process/config'
import { loadConfig } from '../../src/process/config-file'
import type { Event } from '../../src/records/event'
import { DAY, HOUR, startOf } from '../../src/reporting/calendar'
import type { Store } from '../../src/store/store'
import { HistoryReader } from '../../src/unusual/history-reader'
import { UnusualMonitor } from '../../src/unusual/monitor'
import { OpenRules } from '../../src/unusual/open-rules'
import { findUnusual } from '../../src/unusual/rules'
import { newSite, useRedis } from '../support/registry'
import { LATER, NOW, play, type Scenario } from './scenario'
import { innocents, takeovers } from './scenarios'

useRedis()

const CONFIG = loadConfig(undefined).config

function takeover(wanted: string): Scenario {
  return takeovers.find(({ name }) => name === wanted)!.build()
}

async function eventsOf({ client, keys }: Store, tenant: string): Promise<Event[]> {
  const text = await client.hget(keys.tenant(tenant), 'events')
  return (text ?? '')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event)
}

function rulesOf(events: readonly Event[]): string[] {
  return events.map((event) => `${event.kind} ${'rule' in event ? event.rule : ''}`).sort()
}

describe('HistoryReader', () => {
  for (const { name, build } of [...takeovers, ...innocents]) {
    it(`reads the history of ${name} so that the rules find the same`, async () => {
      const { store } = newSite()
      const scenario = build()
      await play(store, 'contoso', scenario)
      const reader = new HistoryReader(store, CONFIG)
      const history = await reader.read('contoso', await reader.moment(NOW))
      assert.deepEqual(
        findUnusual(history!, CONFIG.unusual),
        findUnusual(scenario.history(), CONFIG.unusual),
      )
    })
  }

  it('does not use the time before recording began, or expired reports', async () => {
    const { store } = newSite()
    await play(store, 'contoso', takeover('a burst'))
    const since = async (config: Config): Promise<number> => {
      const reader = new HistoryReader(store, config)
      return (await reader.read('contoso', await reader.moment(NOW)))!.knownSince
    }
    assert.equal(await since(CONFIG), startOf(NOW, DAY) - 89 * DAY)
    await store.client.set(store.keys.recordedSince, NOW - 3 * DAY)
    assert.equal(await since(CONFIG), NOW - 3 * DAY)
    const short = { ...CONFIG, report: { ...CONFIG.report, days: 2 } }
    assert.equal(await since(short), startOf(NOW, DAY) - DAY)
    await store.client.hset(store.keys.tenant('contoso'), 'createdAt', NOW - HOUR)
    assert.equal(await since(CONFIG), NOW - HOUR)
    await store.client.del(store.keys.recordedSince)
    assert.equal(await since(CONFIG), NOW)
  })
})

describe('UnusualMonitor', () => {
  it('raises an event once, for several processes and runs', async () => {
    const site = newSite()
    const { store } = site
    await play(store, 'contoso', takeover('a burst'), LATER)
    await play(store, 'fabrikam', innocents[0]!.build(), LATER)
    const notified: string[] = []
    const each = [store, site.connect(), site.connect()].map(
      (store) =>
        new UnusualMonitor(
          store,
          () => CONFIG,
          (tenant) => notified.push(tenant),
        ),
    )
    for (let round = 0; round < 3; round++) await Promise.all(each.map((look) => look.run()))
    assert.deepEqual(notified, ['contoso'])
    assert.deepEqual(rulesOf(await eventsOf(store, 'contoso')), ['unusual volume'])
    assert.deepEqual(await eventsOf(store, 'fabrikam'), [])
  })

  it('checks registered mail of a tenant that sends no unregistered mail', async () => {
    const { store } = newSite()
    const look = new UnusualMonitor(
      store,
      () => CONFIG,
      () => {},
    )
    await look.run()
    await play(
      store,
      'contoso',
      takeover('an intruder who is blocked, and goes on with a registered domain'),
      LATER,
    )
    await store.client.del(store.keys.reported)
    await look.run()
    assert.deepEqual(rulesOf(await eventsOf(store, 'contoso')), ['unusual registered_volume'])
  })

  it('resolves an event when no mail comes', async () => {
    const { store } = newSite()
    await play(store, 'contoso', takeover('a burst'), LATER)
    const look = new UnusualMonitor(
      store,
      () => CONFIG,
      () => {},
    )
    await look.run()
    await store.client.del(store.keys.reported)
    for (const name of await store.client.keys(`${store.keys.prefix}*:report:*`)) {
      await store.client.del(name)
    }
    // The rule last held two hours ago.
    const [event, since] = (await store.client.hget(
      store.keys.unusual('contoso'),
      'volume',
    ))!.split(' ')
    await store.client.hset(
      store.keys.unusual('contoso'),
      'volume',
      `${event} ${since} ${Number(since) - 2 * HOUR}`,
    )
    await look.run()
    assert.deepEqual(rulesOf(await eventsOf(store, 'contoso')), [
      'resolved volume',
      'unusual volume',
    ])
    assert.deepEqual([...(await new OpenRules(store).tenants())], [])
  })

  it('notes once when recording began', async () => {
    const { store } = newSite()
    const look = new UnusualMonitor(
      store,
      () => CONFIG,
      () => {},
    )
    await look.run()
    const since = await store.client.get(store.keys.recordedSince)
    assert.ok(Number(since) > 0)
    await look.run()
    assert.equal(await store.client.get(store.keys.recordedSince), since)
  })

  it('does nothing while the plugin is off', async () => {
    const { store } = newSite()
    await play(store, 'contoso', takeover('a burst'), LATER)
    await store.client.del(store.keys.recordedSince)
    for (const main of [{ mode: 'off' }, { override: 'off' }] as const) {
      await new UnusualMonitor(
        store,
        () => ({ ...CONFIG, main: { ...CONFIG.main, ...main } }),
        assert.fail,
      ).run()
    }
    assert.equal(await store.client.exists(store.keys.recordedSince), 0)
  })

  it('checks the other tenants if one cannot be read', async () => {
    const { store } = newSite()
    await play(store, 'a', takeover('a burst'), LATER)
    await play(store, 'contoso', takeover('a burst'), LATER)
    await store.client.hset(store.keys.tenant('a'), 'limits', 'nonsense')
    const look = new UnusualMonitor(
      store,
      () => CONFIG,
      () => {},
    )
    await assert.rejects(look.run(), /"nonsense" is not a limit/)
    await assert.rejects(look.run(), /"nonsense" is not a limit/)
    assert.deepEqual(rulesOf(await eventsOf(store, 'contoso')), ['unusual volume'])
  })

  it('continues with the next run after Redis was away', async () => {
    const site = newSite()
    const { store } = site
    await play(store, 'contoso', takeover('a burst'), LATER)
    for (let commands = 0; commands < 12; commands++) {
      await assert.rejects(
        new UnusualMonitor(
          site.connectUntil(commands),
          () => CONFIG,
          () => {},
        ).run(),
      )
    }
    await new UnusualMonitor(
      store,
      () => CONFIG,
      () => {},
    ).run()
    assert.deepEqual(rulesOf(await eventsOf(store, 'contoso')), ['unusual volume'])
  })

  it('stops when asked to', async () => {
    const { store } = newSite()
    await play(store, 'contoso', takeover('a burst'), LATER)
    const look = new UnusualMonitor(store, () => CONFIG, assert.fail)
    look.stop()
    await look.run()
    assert.deepEqual(await eventsOf(store, 'contoso'), [])
  })
})
