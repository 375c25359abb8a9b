import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { connect } from '../../src/store/connection'
import { Outbox } from '../../src/store/outbox'
import type { Client } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'

let redis: TestRedis
let client: Client
let dropped: string[]

before(async () => {
  redis = await startRedis()
})
after(() => redis.stop())

beforeEach(async () => {
  dropped = []
  client = connect(settingsFor(redis, { commandTimeout: 100 }), () => {})
  await waitFor(() => client.status === 'ready')
})
afterEach(async () => {
  client.disconnect()
  redis.resume()
  await redis.client().flushall()
})

function newOutbox(bound = 100): Outbox {
  return new Outbox(client, bound, (reason) => dropped.push(reason))
}

/** Reads a list with a connection of its own. */
function list(key: string): Promise<string[]> {
  return redis.client().lrange(key, 0, -1)
}

describe('an outbox', () => {
  it('does errands at once where Redis answers', async () => {
    const outbox = newOutbox()
    assert.equal(outbox.size, 0)
    await outbox.whenIdle()
    for (const name of ['a', 'b', 'c']) outbox.send('a', () => client.rpush('done', name))
    assert.equal(outbox.size, 3)
    await outbox.whenIdle()
    assert.equal(outbox.size, 0)
    assert.deepEqual(await list('done'), ['a', 'b', 'c'])
  })

  it('keeps them while Redis is dead, and does them in order when it is back', async () => {
    const outbox = newOutbox()
    await redis.kill()
    await waitFor(() => client.status !== 'ready')
    for (let at = 0; at < 20; at++) outbox.send('a', () => client.rpush('done', at))
    await waitFor(() => outbox.size === 20)
    await redis.restart()
    await outbox.whenIdle()
    assert.deepEqual(
      (await list('done')).map(Number),
      Array.from({ length: 20 }, (_, at) => at),
    )
    assert.deepEqual(dropped, [])
  })

  it('keeps them while Redis hangs, and does them when it goes on', async () => {
    const outbox = newOutbox()
    let attempts = 0
    redis.pause()
    outbox.send('a', () => {
      attempts++
      return client.set('done', 'yes')
    })
    await waitFor(() => attempts === 2)
    redis.resume()
    await outbox.whenIdle()
    assert.equal(await redis.client().get('done'), 'yes')
  })

  it('does an errand again whose answer got lost: it must bear that', async () => {
    const outbox = newOutbox()
    redis.pause()
    outbox.send('a', () => client.sadd('done', 'once'))
    await waitFor(() => outbox.size === 1)
    redis.resume()
    await outbox.whenIdle()
    assert.deepEqual(await redis.client().smembers('done'), ['once'])
  })

  it('lets no more wait than its bound, and says which it drops', async () => {
    const outbox = newOutbox(3)
    await redis.kill()
    await waitFor(() => client.status !== 'ready')
    for (let at = 0; at < 5; at++) outbox.send('a', () => client.rpush('done', at))
    await waitFor(() => dropped.length === 2)
    assert.equal(dropped[0], '3 wait for Redis already')
    assert.equal(outbox.size, 3)
    await redis.restart()
    await outbox.whenIdle()
    assert.deepEqual(await list('done'), ['0', '1', '2'])
  })

  it('does not repeat what Redis refused, and says why', async () => {
    const outbox = newOutbox()
    let attempts = 0
    await client.set('text', 'x')
    outbox.send('a', () => {
      attempts++
      return client.rpush('text', 'y')
    })
    outbox.send('a', () => client.eval("return redis.call('RPUSH', KEYS[1], 1)", 1, 'text'))
    outbox.send('a', () => client.eval('return nothing.at.all', 0))
    await outbox.whenIdle()
    assert.equal(attempts, 1)
    assert.equal(dropped.length, 3)
    assert.match(dropped[0]!, /WRONGTYPE/)
  })

  it('goes on with the next where a waiting one is refused', async () => {
    const outbox = newOutbox()
    await redis.kill()
    await waitFor(() => client.status !== 'ready')
    outbox.send('a', () => client.eval('return nothing.at.all', 0))
    outbox.send('a', () => client.rpush('done', 'after'))
    await waitFor(() => outbox.size === 2)
    await redis.restart()
    await outbox.whenIdle()
    assert.match(dropped.join(), /nonexistent global variable 'nothing'$/)
    assert.deepEqual(await list('done'), ['after'])
  })

  it('keeps what Redis cannot take now but will: no memory, loading, a replica', async () => {
    const outbox = newOutbox()
    const admin = redis.client()
    await admin.config('SET', 'maxmemory', '1')
    let attempts = 0
    outbox.send('a', () => {
      attempts++
      return client.set('done', 'yes')
    })
    await waitFor(() => attempts === 1 && outbox.size === 1)
    await admin.config('SET', 'maxmemory', '0')
    await outbox.whenIdle()
    // As Redis 6.2 says it of a script.
    const ofScript = 'ERR Error running script (call to f_1): @user_script:9: -NOREPLICAS'
    for (const word of ['LOADING', 'READONLY', 'CLUSTERDOWN', 'MASTERDOWN', 'TRYAGAIN', ofScript]) {
      let failures = 0
      outbox.send('a', () =>
        failures++ ? Promise.resolve() : Promise.reject(new Error(`${word} x`)),
      )
      await waitFor(() => failures === 1)
    }
    await outbox.whenIdle()
    assert.deepEqual(dropped, [])
  })

  it('lets those that cannot be done hold up only their own lane', async () => {
    const outbox = newOutbox()
    let away = true
    const stuck = (name: string) =>
      away ? Promise.reject(new Error('Command timed out')) : client.rpush('done', name)
    for (let at = 0; at < 20; at++) outbox.send(`stuck${at}`, () => stuck('x'))
    outbox.send('stuck0', () => stuck('last'))
    let failed = false
    outbox.send('free', () => {
      if (failed) return client.rpush('done', 'free')
      failed = true
      return Promise.reject(new Error('Command timed out'))
    })
    // Though more lanes are stuck than a round tries in a row.
    await waitFor(async () => (await list('done')).includes('free'))
    assert.deepEqual(await list('done'), ['free'])
    assert.equal(outbox.size, 21)
    away = false
    await outbox.whenIdle()
    const done = await list('done')
    assert.equal(done.length, 22)
    assert.ok(done.includes('last'))
    assert.deepEqual(dropped, [])
  })

  it('survives errands that throw at once', async () => {
    const outbox = newOutbox()
    let attempts = 0
    outbox.send('a', () => {
      if (attempts++ === 0) throw new Error('not yet')
      return Promise.resolve()
    })
    await outbox.whenIdle()
    assert.equal(attempts, 2)
  })

  it('is idle only when the last one is done', async () => {
    const outbox = newOutbox()
    let failed = false
    let done = false
    outbox.send('a', async () => {
      if (!failed) {
        failed = true
        throw new Error('Connection is closed.')
      }
      await client.ping()
      done = true
    })
    // At every moment in between.
    for (let turn = 0; turn < 10; turn++) {
      const idle = outbox.whenIdle().then(() => assert.ok(done, `idle too early, turn ${turn}`))
      await Promise.resolve()
      if (turn === 9) await idle
      else idle.catch((error: unknown) => dropped.push(String(error)))
    }
    assert.deepEqual(dropped, [])
  })
})
