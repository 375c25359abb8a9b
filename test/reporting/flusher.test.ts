import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { BATCH_ROWS, MOST_BATCHES, MOST_ENTRIES } from '../../src/reporting/bounds'
import { Flusher } from '../../src/reporting/flusher'
import { Recorder } from '../../src/reporting/recorder'
import { Tally } from '../../src/reporting/tally'
import { Totals } from '../../src/reporting/totals'
import { Keys } from '../../src/store/keys'
import { connect } from '../../src/store/connection'
import { Store, type Client } from '../../src/store/store'
import { waitFor } from '../../scripts/services/wait-for'
import { settingsFor } from '../support/connection'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'
import { theRedis, useRedis } from '../support/registry'
import { ACCEPTED, numbersOf, Reports } from '../support/reporting'

useRedis()

const SOURCE = { domain: 'other.example', connector: 'contoso/mx', ip: '192.0.2.1', user: '' }

let reports: Reports
let way: RedisProxy
let client: Client
let tally: Tally
let flusher: Flusher
let usable: boolean
/** Number of flushes begun. */
let attempts: number
/** Whether no tenant can be named in the index, and how often one was to be. */
let unindexed: boolean
let indexings: number
let dropped: string[]
let waiting: string[]

beforeEach(async () => {
  reports = await Reports.create()
  way = await startRedisProxy(theRedis().port)
  client = connect(settingsFor(way, { commandTimeout: 200 }), () => {})
  await waitFor(() => client.status === 'ready')
  const keys = new Keys(reports.store.keys.prefix)
  const store = new Store(client, keys, reports.clock.includes)
  dropped = []
  waiting = []
  const onDrop = (reason: string): void => void dropped.push(reason)
  tally = new Tally(onDrop)
  usable = true
  unindexed = false
  attempts = 0
  indexings = 0
  flusher = new Flusher({
    ...{ tally, onDrop, onWait: (reason) => waiting.push(reason) },
    recorder: new TestRecorder(store, () => 90),
    totals: new Totals(store),
    ready: () => {
      attempts++
      const isReady = usable && client.status === 'ready'
      return isReady ? Promise.resolve() : Promise.reject(new Error('away'))
    },
  })
})
afterEach(async () => {
  client.disconnect()
  await way.stop()
})

class TestRecorder extends Recorder {
  override noteReported(tenants: ReadonlyMap<string, number>): Promise<void> {
    indexings++
    return unindexed ? Promise.reject(new Error('away')) : super.noteReported(tenants)
  }
}

/** The tenants in the index. */
function indexed(): Promise<string[]> {
  const { client: redis, keys } = reports.store
  return redis.zrange(keys.reported, '0', '-1')
}

/** Makes the batch of a tenant older, by ms. */
function age(tenant: string, ms: number): void {
  const batch = tally.batchOf(tenant)!
  Object.assign(batch, { begun: batch.begun - ms })
}

function count(messages = 1): void {
  for (let at = 0; at < messages; at++)
    tally.batchOf('contoso')!.addSource(SOURCE, 'unregistered', ACCEPTED)
}

async function recorded(): Promise<number[] | undefined> {
  const [row] = await reports.rows(reports.dayKey)
  return row && numbersOf(row.counts)
}

/** Flushes until the client has found its connection broken, and made another. */
async function flushed(): Promise<void> {
  await waitFor(async () => {
    await flusher.flush()
    return tally.size.batches === 0
  })
}

const accepted = (messages: number): number[] => [messages, 0, 0, 0, messages, 0, 0, 0]

describe('a flush', () => {
  it('counts once if its answer is lost and it is sent again', async () => {
    // The script is known then, and the clock.
    count()
    await flusher.flush()
    count(2)
    way.hold()
    await flusher.flush()
    assert.deepEqual(await recorded(), accepted(3))
    assert.equal(tally.size.batches, 1)
    way.cut()
    way.release()
    // What came meanwhile is another flush.
    count(4)
    await flushed()
    assert.deepEqual(await recorded(), accepted(7))
    assert.deepEqual(tally.size, { batches: 0, entries: 0 })
    assert.deepEqual(dropped, [])
  })

  it('counts once if the first attempt reaches Redis after the second', async () => {
    count()
    await flusher.flush()
    count(2)
    way.holdCommands()
    await flusher.flush()
    assert.deepEqual(await recorded(), accepted(1))
    way.strand()
    await flushed()
    assert.deepEqual(await recorded(), accepted(3))
    way.release()
    count()
    await flusher.flush()
    await waitFor(() => way.held === 0)
    assert.deepEqual(await recorded(), accepted(4))
  })

  it('waits while the registry is lost, and loses no counts', async () => {
    usable = false
    count()
    await flusher.flush()
    count()
    await flusher.flushTenant('contoso')
    assert.equal(await recorded(), undefined)
    assert.equal(tally.size.batches, 1)
    usable = true
    await flusher.flush()
    assert.deepEqual(await recorded(), accepted(2))
  })

  it('of one tenant records all mail counted before the call', async () => {
    count()
    const first = flusher.flushTenant('contoso')
    count()
    const second = flusher.flushTenant('contoso')
    await second
    assert.deepEqual(await recorded(), accepted(2))
    await first
  })

  it('of a removed tenant writes nothing', async () => {
    tally.batchOf('fabrikam')!.addSource(SOURCE, 'unregistered', ACCEPTED)
    await flusher.flush()
    const { keys } = reports.store
    assert.deepEqual(await reports.store.client.keys(`${keys.prefix}{fabrikam}*`), [])
    assert.deepEqual(tally.size, { batches: 0, entries: 0 })
  })

  it('that Redis does not allow waits and is reported', async () => {
    const admin = reports.store.client
    await admin.call('ACL', 'SETUSER', 'default', 'resetkeys', '~ud:*')
    count()
    await flusher.flush()
    assert.match(
      waiting.at(-1) ?? '',
      /^counters for metrics wait: .*: load docs\/acl\/plugin\.acl$/,
    )
    assert.match(waiting[0] ?? '', /^reports wait: Redis does not allow our user .*NOPERM/)
    await admin.call('ACL', 'SETUSER', 'default', '~*')
    await flusher.flush()
    assert.deepEqual(await recorded(), accepted(1))
    assert.deepEqual(dropped, [])
  })

  it('that can never be recorded is dropped and reported', async () => {
    await reports.store.client.set(reports.store.keys.flushes('contoso'), 'not ours')
    count()
    await flusher.flush()
    assert.equal(dropped.length, 1)
    assert.match(dropped[0]!, /WRONGTYPE/)
    assert.deepEqual(tally.size, { batches: 0, entries: 0 })
  })
})

describe('flushes of one tenant', () => {
  it('run one at a time, and calls meanwhile share the next', async () => {
    const tenfold = (): Promise<void>[] =>
      Array.from({ length: 10 }, () => flusher.flushTenant('contoso'))
    count()
    await Promise.all(tenfold())
    assert.equal(attempts, 1)
    count()
    const first = flusher.flushTenant('contoso')
    await waitFor(() => attempts === 2)
    count()
    await Promise.all([first, ...tenfold()])
    assert.equal(attempts, 3)
    assert.deepEqual(await recorded(), accepted(3))
  })

  it('leave no memory of the tenant in the process', async () => {
    count()
    await flusher.flush()
    assert.equal((flusher as unknown as { lanes: Map<string, unknown> }).lanes.size, 0)
  })
})

describe('the index of tenants', () => {
  it('has the tenants with unregistered mail or bounces, and no others', async () => {
    for (const id of ['fabrikam', 'tailspin']) {
      await reports.site.registry.tenants.add(id, {}, 'test')
    }
    tally.batchOf('tailspin')!.addTotal('null', '', ACCEPTED)
    tally.batchOf('fabrikam')!.addTotal('registered', '', ACCEPTED)
    tally.batchOf('gone')!.addSource(SOURCE, 'unregistered', ACCEPTED)
    tally.unattributed!.add({ ip: '192.0.2.9', user: '', certificate: '' }, ACCEPTED)
    count()
    await flusher.flush()
    assert.deepEqual((await indexed()).sort(), ['contoso', 'tailspin'])
    await flusher.flush()
    assert.equal(indexings, 1)
  })

  it('gets a tenant with the next flush if adding it failed', async () => {
    unindexed = true
    count()
    await flusher.flush()
    assert.deepEqual([await indexed(), await recorded()], [[], accepted(1)])
    unindexed = false
    await flusher.flush()
    assert.deepEqual(await indexed(), ['contoso'])
    assert.deepEqual(await recorded(), accepted(1))
  })
})

describe('counts that wait in a process', () => {
  it('are split into batches of five minutes, so that hours stay right', async () => {
    usable = false
    count()
    age('contoso', 290_000)
    await flusher.flush()
    count()
    assert.equal(tally.size.batches, 1)
    age('contoso', 11_000)
    await flusher.flush()
    count()
    assert.equal(tally.size.batches, 2)
    usable = true
    await flusher.flush()
    assert.deepEqual(await recorded(), accepted(3))
    assert.deepEqual(tally.size, { batches: 0, entries: 0 })
  })

  it('are not split once half of the batches are in use', async () => {
    usable = false
    for (let tenant = 1; tenant < MOST_BATCHES / 2; tenant++) tally.batchOf(`t${tenant}`)
    count()
    age('contoso', 301_000)
    await flusher.flush()
    assert.notEqual(tally.begun('contoso'), undefined)
    tally.release(tally.take('t1')!)
    await flusher.flush()
    assert.equal(tally.begun('contoso'), undefined)
  })

  it('are bounded: new sources count as others, and further tenants are dropped', () => {
    const perTenant = BATCH_ROWS
    for (let tenant = 0; tenant < MOST_BATCHES + 10; tenant++) {
      const batch = tally.batchOf(`t${tenant}`)
      const sources = tenant < 200 ? perTenant : 1
      for (let at = 0; at < sources; at++) {
        batch?.addSource({ ...SOURCE, domain: `d${at}.example` }, 'unregistered', ACCEPTED)
      }
    }
    const { batches, entries } = tally.size
    assert.equal(batches, MOST_BATCHES)
    assert.ok(entries <= MOST_ENTRIES + MOST_BATCHES, `${entries} entries`)
    assert.equal(dropped.length, 10)
    assert.match(dropped[0]!, /10000 batches of reports already wait for Redis/)
    // Tenants with a batch lose nothing.
    const total = String(tally.take('t199')!.sources.rows.values().next().value)
    assert.match(total, /^500 /)
  })
})
