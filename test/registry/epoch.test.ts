import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import {
  confirmEpoch,
  ensureEpoch,
  isNewer,
  lookAtRegistry,
  readEpoch,
  SCHEMA,
  SchemaError,
} from '../../src/registry/epoch'
import { Registries } from '../support/registries'
import { startRedis, type TestRedis } from '../support/redis'

const OURS = `${SCHEMA.major}.${SCHEMA.minor}`

describe('the epoch of the registry', () => {
  let redis: TestRedis
  let client: Redis
  let store: Store

  before(async () => {
    redis = await startRedis()
    client = redis.client()
  })
  after(() => redis.stop())
  beforeEach(async () => {
    await client.flushall()
    store = new Store(client, new Keys('ud:'))
  })

  it('is not there until it is given, and looking writes nothing', async () => {
    assert.deepEqual(
      { ...(await lookAtRegistry(store, 'contoso')), time: 0 },
      {
        ...{ time: 0, epoch: undefined, tenants: 0, indexed: false },
        ...{ accepted: 0, lifted: 0, changed: 0 },
      },
    )
    assert.equal(await client.dbsize(), 0)
  })

  it('is given once', async () => {
    const first = await ensureEpoch(store)
    assert.deepEqual(await ensureEpoch(store), first)
    assert.deepEqual(await readEpoch(store), first)
    assert.equal(first.origin, 'automatic')
    assert.equal(first.schema, OURS)
    const { time } = await lookAtRegistry(store)
    assert.ok(Math.abs(time - first.createdAt) < 60_000)
  })

  it('is replaced by the word of an operator only', async () => {
    const first = await ensureEpoch(store)
    const confirmed = await confirmEpoch(store)
    assert.notEqual(confirmed.epoch, first.epoch)
    assert.equal(confirmed.origin, 'operator')
    assert.ok(confirmed.createdAt >= first.createdAt)
    assert.deepEqual(await ensureEpoch(store), confirmed)
  })

  it('is announced', async () => {
    const subscriber = redis.client()
    const heard: string[] = []
    subscriber.on('message', (_channel, message) => heard.push(message))
    await subscriber.subscribe(store.keys.changes)
    const { epoch } = await confirmEpoch(store)
    await subscriber.ping()
    assert.deepEqual(
      heard.map((each) => JSON.parse(each) as unknown),
      [{ registry: epoch }],
    )
  })

  it('stands beside the index of tenants, and counts it', async () => {
    const registry = new Registries(store)
    await registry.tenants.add('contoso', {}, 'test')
    await registry.tenants.add('fabrikam', {}, 'test')
    const { tenants, indexed } = await lookAtRegistry(store, 'contoso')
    assert.deepEqual([tenants, indexed], [2, true])
    assert.equal((await lookAtRegistry(store, 'nobody')).indexed, false)
  })

  describe('the schema', () => {
    const written = (schema: string): Promise<unknown> =>
      client.hset(store.keys.epoch, { epoch: 'e', schema, createdAt: '1', origin: 'automatic' })

    it('of a lower minor is raised, of a higher one kept', async () => {
      await written('1.0')
      assert.equal((await ensureEpoch(store)).schema, OURS)
      await written('1.7')
      assert.equal((await ensureEpoch(store)).schema, '1.7')
    })

    it('of a higher major is left alone, and refused', async () => {
      await written('2.0')
      for (const act of [ensureEpoch, confirmEpoch]) {
        await assert.rejects(act(store), (error: unknown) => {
          assert.ok(error instanceof SchemaError)
          assert.match(error.message, /schema 2\.0, and this version reads 1\.x/)
          return true
        })
      }
      const there = await readEpoch(store)
      assert.deepEqual(there, { epoch: 'e', schema: '2.0', createdAt: 1, origin: 'automatic' })
      assert.equal(isNewer(there), true)
      assert.equal(isNewer({ ...there, schema: '1.99' }), false)
    })
  })
})
