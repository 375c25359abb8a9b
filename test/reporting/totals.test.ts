import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Room } from '../../src/reporting/room'
import { Batch } from '../../src/reporting/batch'
import { Totals } from '../../src/reporting/totals'
import { UnattributedBatch } from '../../src/reporting/unattributed-batch'
import { connect } from '../../src/store/connection'
import { Store, type Client } from '../../src/store/store'
import { waitFor } from '../../scripts/services/wait-for'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'
import { settingsFor } from '../support/connection'
import { newSite, theRedis, useRedis } from '../support/registry'
import { ACCEPTED, REFUSED } from '../support/reporting'

useRedis()

const SOURCE = { domain: 'lure.example', connector: 'contoso/web', ip: '192.0.2.1', user: '' }

let store: Store
let way: RedisProxy
/** A client whose answers can be lost. */
let client: Client
let totals: Totals

beforeEach(async () => {
  store = newSite().store
  way = await startRedisProxy(theRedis().port)
  client = connect(settingsFor(way, { commandTimeout: 200 }), () => {})
  await waitFor(() => client.status === 'ready')
  totals = new Totals(new Store(client, store.keys))
})
afterEach(async () => {
  client.disconnect()
  await way.stop()
})

/** Counts accepted messages of a tenant, one recipient each. */
function count(messages: number, by = totals): void {
  const batch = new Batch(new Room())
  for (let at = 0; at < messages; at++) batch.addSource(SOURCE, 'unregistered', ACCEPTED)
  by.addBatch(batch)
}

async function counters(): Promise<Record<string, string>> {
  const { version, added, ...rest } = await store.client.hgetall(store.keys.totals)
  assert.equal(version === undefined, added === undefined)
  return rest
}

const accepted = (number: number): Record<string, string> => ({
  'u accepted recipients': String(number),
  'u accepted messages': String(number),
})

describe('the totals', () => {
  it('hold recipients and messages by class and outcome, with or without a tenant', async () => {
    const batch = new Batch(new Room())
    batch.addTotal('registered', 'contoso/web', { ...ACCEPTED, accepted: 7 })
    batch.addTotal('null', 'contoso/web', ACCEPTED)
    batch.addSource(SOURCE, 'unregistered', { ...ACCEPTED, deferred: 2, refused: 3 })
    batch.addSource(SOURCE, 'unknown', REFUSED)
    totals.addBatch(batch)
    const nobody = new UnattributedBatch(new Room())
    nobody.add({ ip: '192.0.2.1', user: '', certificate: '' }, { ...ACCEPTED, accepted: 4 })
    totals.addBatch(nobody)
    await totals.flush()
    assert.deepEqual(await counters(), {
      'r accepted recipients': '7',
      'r accepted messages': '1',
      'n accepted recipients': '1',
      'n accepted messages': '1',
      'u accepted recipients': '1',
      'u deferred recipients': '2',
      'u refused recipients': '3',
      'u accepted messages': '1',
      '? refused messages': '1',
      '- accepted recipients': '4',
      '- accepted messages': '1',
    })
    assert.deepEqual(totals.sinceStart.charged, { accepted: 2, deferred: 2, refused: 3 })
  })

  it('hold why recipients could not be decided by a code, and never by a text', async () => {
    const reasons = [
      ...['tenant-unknown', 'no connection to Redis', 'registry-lost', 'charge gone'],
      'Redis has no memory left and accepts no writes (OOM)',
      ...['Redis: ERR x\ny{}', 'Redis: ERR z', '550 mail from "lure.example"'],
    ]
    for (const reason of reasons) totals.addUndecided(reason)
    await totals.flush()
    const codes = {
      ...{ 'tenant-unknown': 1, 'no-connection': 1, 'registry-lost': 1, 'charge-gone': 1 },
      ...{ 'redis-oom': 1, 'redis-failed': 2, other: 1 },
    }
    assert.deepEqual(totals.sinceStart.undecided, codes)
    const fields = Object.entries(codes).map(([code, n]) => [`undecided ${code}`, String(n)])
    assert.deepEqual(await counters(), Object.fromEntries(fields))
  })

  it('count once if an answer is lost and the call is sent again', async () => {
    count(1)
    await totals.flush()
    count(2)
    way.hold()
    await assert.rejects(totals.flush())
    assert.deepEqual(await counters(), accepted(3))
    way.cut()
    way.release()
    count(4)
    await waitFor(() =>
      totals.flush().then(
        () => true,
        () => false,
      ),
    )
    assert.deepEqual(await counters(), accepted(7))
  })

  it('count once if the first attempt reaches Redis after the second', async () => {
    count(1)
    await totals.flush()
    count(2)
    way.holdCommands()
    await assert.rejects(totals.flush())
    way.strand()
    await waitFor(() =>
      totals.flush().then(
        () => true,
        () => false,
      ),
    )
    assert.deepEqual(await counters(), accepted(3))
    way.release()
    count(1)
    await totals.flush()
    await waitFor(() => way.held === 0)
    assert.deepEqual(await counters(), accepted(4))
  })

  it('begin at 0 where Redis has gone back, however many processes find it', async () => {
    const other = new Totals(store)
    count(10)
    await totals.flush()
    const { keys, client: redis } = store
    const earlier = await Promise.all([redis.hgetall(keys.totals), redis.hgetall(keys.totalsAdded)])
    count(20)
    await totals.flush()
    count(1, other)
    await other.flush()
    await redis.del(keys.totals, keys.totalsAdded)
    await redis.hset(keys.totals, earlier[0])
    await redis.hset(keys.totalsAdded, earlier[1])
    const seen = Number(earlier[0]['version'])
    count(3)
    await totals.flush()
    assert.deepEqual(await counters(), accepted(3))
    count(5, other)
    await other.flush()
    assert.deepEqual(await counters(), accepted(8))
    assert.ok(Number(await redis.hget(keys.totals, 'version')) > seen)
    // Of another process, which has known no version.
    const third = new Totals(store)
    count(1, third)
    await third.flush()
    assert.deepEqual(await counters(), accepted(9))
  })

  it('of 300 processes count once, with one field for each', async () => {
    const all = Array.from({ length: 300 }, () => new Totals(store))
    for (let round = 0; round < 3; round++) {
      for (const each of all) count(1, each)
      await Promise.all(all.map((each) => each.flush()))
    }
    assert.deepEqual(await counters(), accepted(900))
    assert.equal(await store.client.hlen(store.keys.totalsAdded), 300)
  })
})
