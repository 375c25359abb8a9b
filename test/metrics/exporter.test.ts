import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Ledger } from '../../src/allowance/ledger'
import { Restrictions } from '../../src/allowance/restriction'
import { Cases } from '../../src/cases/cases'
import { pauseEnforcement } from '../../src/enforcement/pause'
import { EventStream } from '../../src/events/stream'
import { Exporter, type ExporterContext } from '../../src/metrics/exporter'
import { MISSING } from '../../src/nodes/node'
import { removeTenant } from '../../src/registry/tenant-removal'
import { Recorder } from '../../src/reporting/recorder'
import { Batch } from '../../src/reporting/batch'
import { Room } from '../../src/reporting/room'
import { Totals } from '../../src/reporting/totals'
import { parseLimits } from '../../src/mail/limits'
import { connect } from '../../src/store/connection'
import { serverTime } from '../../src/store/server-clock'
import { Store, type Client } from '../../src/store/store'
import { waitFor } from '../../scripts/services/wait-for'
import { DEFAULTS } from '../support/allowance'
import { settingsFor } from '../support/connection'
import { aNode, beat } from '../support/nodes'
import { parseText, valuesOf } from '../support/prometheus-text'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'
import { newSite, theRedis, useRedis, type Site } from '../support/registry'
import { ACCEPTED } from '../support/reporting'

useRedis()

const LIMITS = {
  ...DEFAULTS,
  limits: parseLimits('10/1h, 100/1d'),
  nullLimits: parseLimits('8/1h'),
}

let site: Site
let way: RedisProxy
/** The connection of the exporter. */
let client: Client
let troubles: string[]

beforeEach(async () => {
  site = newSite()
  way = await startRedisProxy(theRedis().port)
  client = connect(settingsFor(way, { commandTimeout: 300 }), () => {})
  await waitFor(() => client.status === 'ready')
  troubles = []
})
afterEach(async () => {
  client.disconnect()
  await way.stop()
})

type Settings = ExporterContext['settings']

/** What an exporter of `site` needs, whose texts are of now. */
function context(
  settings: Partial<Settings> = {},
  more: Partial<ExporterContext> = {},
): ExporterContext {
  return {
    store: new Store(client, site.store.keys),
    settings: {
      ...{ listen: { address: '127.0.0.1', port: 0 }, tokenFile: undefined },
      ...{ tenants: 50, tenantLabels: true },
      ...settings,
    },
    defaults: LIMITS,
    ...{ commandTimeout: 300, version: '9.9.9', patience: 10_000, cached: 0 },
    onTrouble: (reason) => troubles.push(reason),
    ...more,
  }
}

/** The text of a new exporter. */
async function text(settings: Partial<Settings> = {}): Promise<string> {
  const found = await new Exporter(context(settings)).text()
  parseText(found)
  return found
}

let transactions = 0

/** Charges recipients of a tenant and names it in the index, as a flush does. */
async function charge(
  tenant: string,
  recipients: number,
  meter: 'unregistered' | 'null' = 'unregistered',
): Promise<void> {
  const { store } = site
  const ledger = new Ledger(store, 1e13)
  const domainsToken = (await store.client.hget(store.keys.tenant(tenant), 'domains')) ?? ''
  for (let at = 0; at < recipients; at++) {
    const transaction = `F${++transactions}.1`
    const sender = { domain: 'lure.example', connector: `${tenant}/mx`, ip: '192.0.2.1' }
    const what = { tenant, meter, transaction, ordinal: 1, last: undefined, domainsToken }
    await ledger.charge({ ...what, ...sender }, LIMITS)
  }
  const now = await serverTime(store.client)
  await new Recorder(store, () => 90).noteReported(new Map([[tenant, now]]))
}

async function add(...tenants: string[]): Promise<void> {
  for (const tenant of tenants) await site.registry.tenants.add(tenant, {}, 'test')
}

describe('the metrics of tenants', () => {
  it('are those of the registry and of what was used, by meter and window', async () => {
    await add('contoso', 'fabrikam', 'idle')
    await charge('contoso', 6)
    await charge('contoso', 2, 'null')
    await charge('fabrikam', 1)
    const found = await text()
    assert.deepEqual(valuesOf(found, 'tenants'), {
      ...{ registered: 3, restricted: 0, probation: 0, near_limit: 1 },
    })
    assert.deepEqual(valuesOf(found, 'tenant_used_recipients'), {
      ...{ 'contoso unregistered 1h': 6, 'contoso unregistered 1d': 6, 'contoso null 1h': 2 },
      ...{ 'fabrikam unregistered 1h': 1, 'fabrikam unregistered 1d': 1 },
    })
    assert.equal(valuesOf(found, 'tenant_limit_recipients')['contoso unregistered 1d'], 100)
    assert.equal(valuesOf(found, 'tenant_usage_ratio')['contoso unregistered 1h'], 0.6)
    assert.deepEqual(valuesOf(found, 'tenants_not_shown'), { '': 0 })
    assert.deepEqual(valuesOf(found, 'redis_up'), { '': 1 })
    assert.deepEqual(valuesOf(found, 'build_info'), { '9.9.9': 1 })
    assert.ok(valuesOf(found, 'redis_memory_used_bytes')['']! > 100_000)
    assert.deepEqual(troubles, [])
  })

  it('name the restricted ones with their scope, and count the open cases', async () => {
    await add('contoso', 'fabrikam')
    await charge('contoso', 11)
    const restrictions = new Restrictions(site.store)
    await restrictions.index('contoso')
    await restrictions.place('fabrikam', { scope: 'all', by: 'ann', reason: 'abuse' })
    const cases = new Cases(site.store)
    await cases.ensure('contoso')
    const found = await text()
    assert.deepEqual(valuesOf(found, 'tenant_restricted'), {
      ...{ 'contoso unregistered': 1, 'fabrikam all': 1 },
    })
    assert.equal(valuesOf(found, 'tenants')['restricted'], 2)
    assert.deepEqual(valuesOf(found, 'cases_open'), { '': 1 })
    await restrictions.lift('contoso', { by: 'ann', reason: 'x', keepUsage: false })
    await cases.close('contoso:1', { by: 'ann', text: 'done' })
    assert.deepEqual(valuesOf(await text(), 'cases_open'), { '': 0 })
    assert.deepEqual(valuesOf(await text(), 'tenant_restricted'), { 'fabrikam all': 1 })
  })

  it('count tenants on probation from a lift to its end, and show them before others', async () => {
    await add('contoso', 'fabrikam')
    await charge('fabrikam', 4)
    const restrictions = new Restrictions(site.store)
    const act = { by: 'ann', reason: 'x', keepUsage: false }
    const { client: redis, keys } = site.store
    await restrictions.place('contoso', { scope: 'unregistered', by: 'ann', reason: 'abuse' })
    await restrictions.lift('contoso', { ...act, probation: { limits: '5/1h', duration: 60_000 } })
    await charge('contoso', 1)
    const [until] = (await redis.zrange(keys.onProbation, '0', '-1', 'WITHSCORES')).slice(1)
    assert.equal(until, (await redis.hget(keys.tenant('contoso'), 'probation'))!.split('\t')[0])
    const found = await text({ tenants: 1 })
    assert.equal(valuesOf(found, 'tenants')['probation'], 1)
    assert.equal(valuesOf(found, 'tenant_limit_recipients')['contoso unregistered 1h'], 5)
    assert.deepEqual(valuesOf(found, 'tenants_not_shown'), { '': 1 })
    await restrictions.lift('contoso', act)
    assert.equal(valuesOf(await text(), 'tenants')['probation'], 0)
    await restrictions.place('contoso', { scope: 'unregistered', by: 'ann', reason: 'abuse' })
    await restrictions.lift('contoso', { ...act, probation: { limits: '5/1h', duration: 60_000 } })
    await removeTenant(site.store, 'contoso')
    assert.equal(valuesOf(await text(), 'tenants')['probation'], 0)
  })

  it('show the fullest tenants, and no more windows than two for each', async () => {
    const tenants = Array.from({ length: 12 }, (_, at) => `t${at}`)
    await add(...tenants)
    for (const [at, tenant] of tenants.entries()) {
      await charge(tenant, (at % 6) + 1)
      await charge(tenant, 1, 'null')
    }
    const found = await text({ tenants: 4 })
    const used = valuesOf(found, 'tenant_used_recipients')
    assert.equal(Object.keys(used).length, 8)
    const shown = new Set(Object.keys(used).map((key) => key.split(' ')[0]))
    for (const tenant of shown) assert.ok(['t5', 't11', 't4', 't10'].includes(tenant!), tenant)
    assert.deepEqual(valuesOf(found, 'tenants_not_shown'), { '': 12 - shown.size })
    const none = await text({ tenants: 0 })
    assert.deepEqual(valuesOf(none, 'tenant_used_recipients'), {})
    assert.deepEqual(valuesOf(none, 'tenants_not_shown'), { '': 12 })
  })

  it('name no tenant with tenant_labels=false', async () => {
    await add('contoso')
    await charge('contoso', 11)
    await new Restrictions(site.store).index('contoso')
    const found = await text({ tenantLabels: false })
    assert.ok(!found.includes('contoso'))
    assert.equal(valuesOf(found, 'tenants')['restricted'], 1)
    assert.deepEqual(valuesOf(found, 'tenants_not_shown'), { '': 1 })
  })

  it('follow a tenant that has mail again, and forget one that was removed', async () => {
    await add('contoso', 'fabrikam')
    await charge('contoso', 2)
    await charge('fabrikam', 2)
    const one = new Exporter(context())
    const used = async (): Promise<Record<string, number>> =>
      valuesOf(await one.text(), 'tenant_used_recipients')
    assert.equal((await used())['contoso unregistered 1h'], 2)
    await charge('contoso', 5)
    assert.equal((await used())['contoso unregistered 1h'], 7)
    await site.store.client.del(site.store.keys.tenant('fabrikam'))
    assert.deepEqual(Object.keys(await used()), [
      ...['contoso unregistered 1h', 'contoso unregistered 1d'],
    ])
  })
})

describe('the metrics of processes', () => {
  it('tell missing hosts from missing processes, who is behind, and the slowest charge', async () => {
    const { store } = site
    const counters = { ...aNode().counters, held: 2 }
    const mark = (await serverTime(store.client)) * 1000
    await beat(store, {
      id: 'mx1/a',
      counters,
      charge: { p50: 1, p99: 4 },
      applied: mark,
      heard: mark,
    })
    await beat(store, { id: 'mx1/b', counters, charge: { p50: 2, p99: 3 }, role: 'single' })
    await beat(store, { id: 'mx1/c' }, MISSING + 1000)
    await beat(store, { id: 'mx2/a', config: { digest: 'd2', ofHost: '', changed: 0 } })
    await beat(store, { id: 'mx3/a' }, MISSING + 1000)
    const late = { applied: mark - 60_000_000, heard: mark - 60_000_000 }
    await beat(store, { id: 'mx4/a', ...late, registry: { state: 'lost', epoch: 'e1' } })
    await beat(store, { id: 'mx4/b', heard: mark - 30_000_000, applied: mark, role: 'console' })
    const found = await text()
    assert.deepEqual(valuesOf(found, 'processes'), { worker: 3, single: 1, console: 1 })
    assert.deepEqual(valuesOf(found, 'hosts_missing'), { '': 1 })
    assert.deepEqual(valuesOf(found, 'processes_missing'), { '': 1 })
    assert.deepEqual(valuesOf(found, 'processes_behind'), { '': 1 })
    assert.deepEqual(valuesOf(found, 'configurations'), { '': 2 })
    assert.deepEqual(valuesOf(found, 'charge_duration_seconds'), { '0.5': 0.002, '0.99': 0.004 })
    assert.deepEqual(valuesOf(found, 'held_messages'), { mx1: 4 })
    assert.deepEqual(valuesOf(found, 'registry_lost'), { '': 1 })
  })

  it('have the pause of all hosts', async () => {
    assert.deepEqual(valuesOf(await text(), 'enforcement_paused'), { '': 0 })
    await pauseEnforcement(site.store, {
      ...{ duration: 60_000, everything: false, by: 'ann', reason: 'x', words: 'x' },
    })
    assert.deepEqual(valuesOf(await text(), 'enforcement_paused'), { '': 1 })
  })

  it('keep their lines whatever a process says of itself', async () => {
    const counters = { ...aNode().counters, held: 1 }
    const host = 'a"b\\c\n} 7\r\u2028'
    await beat(site.store, { id: `${host}/a`, counters })
    assert.deepEqual(valuesOf(await text(), 'held_messages'), { [host]: 1 })
  })
})

describe('the counters of metrics', () => {
  it('are those that processes have added, and those of events', async () => {
    await add('contoso')
    const totals = new Totals(site.store)
    const batch = new Batch(new Room())
    batch.addTotal('registered', 'contoso/mx', { ...ACCEPTED, accepted: 3 })
    totals.addBatch(batch)
    totals.addUndecided('tenant-unknown')
    await totals.flush()
    const at = Date.now()
    const stream = new EventStream(site.store)
    const lift = { by: 'ann', reason: '', case: 'contoso:1', resolves: 'evt_1' }
    await stream.publish('contoso', { id: 'evt_2', kind: 'lifted', at, ...lift })
    await stream.publish('contoso', {
      ...{
        id: 'evt_3',
        kind: 'restricted',
        at,
        by: 'ann',
        reason: '"trigger":',
        case: 'contoso:2',
      },
      scope: 'all',
    })
    const found = await text()
    assert.equal(valuesOf(found, 'recipients_total')['registered accepted'], 3)
    assert.equal(valuesOf(found, 'messages_total')['registered accepted'], 1)
    assert.equal(Object.keys(valuesOf(found, 'recipients_total')).length, 24)
    assert.deepEqual(valuesOf(found, 'undecided_total'), { 'tenant-unknown': 1 })
    assert.deepEqual(valuesOf(found, 'restrictions_total'), { automatic: 0, person: 1 })
    assert.deepEqual(valuesOf(found, 'lifts_total'), { '': 1 })
    assert.deepEqual(valuesOf(found, 'events_total'), {
      ...{ 'lifted Informational': 1, 'restricted High': 1 },
    })
    assert.deepEqual(valuesOf(found, 'events_stored'), { '': 2 })
    const flushed = valuesOf(found, 'report_last_flush_timestamp_seconds')['']!
    assert.ok(Math.abs(flushed - at / 1000) < 30, String(flushed))
  })

  it('are left out while Redis holds an older version, and then begin at 0', async () => {
    const totals = new Totals(site.store)
    const { client: redis, keys } = site.store
    const send = async (): Promise<void> => {
      const batch = new Batch(new Room())
      batch.addTotal('registered', 'contoso/mx', ACCEPTED)
      totals.addBatch(batch)
      await totals.flush()
    }
    await send()
    const earlier = await redis.hgetall(keys.totals)
    for (let at = 0; at < 4; at++) await send()
    const one = new Exporter(context())
    const counter = async (): Promise<number | undefined> =>
      valuesOf(await one.text(), 'recipients_total')['registered accepted']
    assert.equal(await counter(), 5)
    await redis.del(keys.totals)
    assert.equal(await counter(), undefined)
    await redis.hset(keys.totals, earlier)
    assert.equal(await counter(), undefined)
    assert.equal(valuesOf(await one.text(), 'redis_up')[''], 1)
    await send()
    assert.equal(await counter(), 1)
  })
})

describe('an exporter', () => {
  it('says at once that Redis is away, and which tenants were restricted', async () => {
    await add('contoso')
    await new Restrictions(site.store).place('contoso', {
      ...{ scope: 'all', by: 'ann', reason: 'abuse' },
    })
    const one = new Exporter(context({}, { patience: 10 }))
    await one.text()
    // Redis takes commands, and answers none.
    way.holdCommands()
    const silent = await one.text()
    way.cut()
    await waitFor(() => client.status !== 'ready')
    for (const found of [silent, await one.text()]) {
      assert.deepEqual(valuesOf(found, 'redis_up'), { '': 0 })
      assert.deepEqual(valuesOf(found, 'tenant_restricted'), { 'contoso all': 1 })
      assert.deepEqual(valuesOf(found, 'recipients_total'), {})
      assert.deepEqual(valuesOf(found, 'processes'), {})
    }
    way.release()
    await waitFor(async () => valuesOf(await one.text(), 'redis_up')[''] === 1)
  })

  it('reads once for all that ask within 5 s, or at the same time', async () => {
    const one = new Exporter(context({}, { cached: 5000 }))
    const texts = await Promise.all([one.text(), one.text(), one.text()])
    assert.equal(new Set(texts).size, 1)
    await add('contoso')
    assert.equal(await one.text(), texts[0])
  })

  it('leaves out what its Redis user may not read, and names the file to load once', async () => {
    const { client: redis, keys } = site.store
    await redis.acl('SETUSER', 'old', 'on', '>old', '~*', '&*', '+@all', '-xinfo', '-zcount')
    const settings = settingsFor(way, { username: 'old', password: 'old' })
    const limited = connect(settings, () => {})
    await waitFor(() => limited.status === 'ready')
    const one = new Exporter(context({}, { store: new Store(limited, keys) }))
    await site.store.client.xadd(keys.events, '*', 'kind', 'x')
    for (let at = 0; at < 2; at++) {
      const found = await one.text()
      assert.deepEqual(valuesOf(found, 'redis_up'), { '': 1 })
      assert.deepEqual(valuesOf(found, 'tenants'), {})
      assert.deepEqual(valuesOf(found, 'events_stored'), {})
      assert.equal(Object.keys(valuesOf(found, 'recipients_total')).length, 24)
    }
    assert.deepEqual(troubles, [
      'Redis does not allow our user a command or key that we need (NOPERM): load docs/acl/tenantctl-read.acl',
    ])
    limited.disconnect()
    await redis.acl('DELUSER', 'old')
  })

  it('counts connectors by what they do, and reads them again only after a change', async () => {
    await add('contoso')
    const { connectors } = site.registry
    for (const [at, name] of ['a', 'b', 'c'].entries()) {
      await connectors.add('contoso', name, { ip: [`192.0.2.${at}`] }, 'test')
    }
    await connectors.setEnabled('contoso', 'b', false)
    await connectors.block('contoso', 'c', { by: 'ann', reason: 'abuse' })
    const expected = { active: 1, disabled: 1, blocked: 1 }
    assert.deepEqual(valuesOf(await text(), 'connectors'), expected)
  })
})
