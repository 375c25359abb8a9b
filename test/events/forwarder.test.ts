import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import type { Alert } from '../../src/records/event'
import { Forwarder } from '../../src/events/forwarder'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { entries, published, raise, waiting } from '../support/events'
import { startRedis, type TestRedis } from '../support/redis'

let redis: TestRedis
let admin: Store
let store: Store
let alerts: Alert[]
let errors: string[]

before(async () => {
  redis = await startRedis()
  admin = new Store(redis.client(), new Keys('ud:'))
})
after(() => redis.stop())

beforeEach(async () => {
  await admin.client.flushall()
  alerts = []
  errors = []
  store = new Store(
    connect(settingsFor(redis, { commandTimeout: 200 }), () => {}),
    new Keys('ud:'),
  )
  await waitFor(() => store.client.status === 'ready')
})
afterEach(() => {
  redis.resume()
  store.client.disconnect()
})

function newForwarder(whenUsable = (): Promise<void> => Promise.resolve()): Forwarder {
  return new Forwarder(store, whenUsable, {
    onAlert: (alert) => alerts.push(alert),
    onError: (message) => errors.push(message),
  })
}

function left(tenant = 'contoso'): Promise<string[]> {
  return waiting(admin.client, admin.keys.tenant(tenant))
}

describe('a forwarder', () => {
  it('moves all events of a tenant to the stream, in order', async () => {
    const ids = [
      await raise(admin, 'contoso', 'allowance'),
      await raise(admin, 'contoso', 'restricted'),
      await raise(admin, 'contoso', 'lifted'),
    ]
    const forwarder = newForwarder()
    forwarder.pending('contoso')
    await forwarder.whenIdle()
    assert.deepEqual(await published(admin), ids)
    assert.deepEqual(await left(), [])
    assert.deepEqual(
      alerts,
      (await entries(admin)).map(({ alert }) => alert),
    )
    assert.equal(await admin.client.hget(admin.keys.tenant('contoso'), 'events'), null)
  })

  it('waits while Redis is dead, and continues when it is back', async () => {
    const id = await raise(admin, 'contoso', 'restricted')
    await admin.client.save()
    const forwarder = newForwarder()
    await redis.kill()
    await waitFor(() => store.client.status !== 'ready')
    forwarder.pending('contoso')
    forwarder.pending('contoso')
    await redis.restart()
    await forwarder.whenIdle()
    assert.deepEqual(await published(admin), [id])
    assert.deepEqual(errors, [])
  })

  it('also moves events that are raised while it runs', async () => {
    const first = await raise(admin, 'contoso', 'test')
    const forwarder = newForwarder()
    let second = ''
    forwarder.beforePublish.push(async () => {
      if (second !== '') return
      second = await raise(admin, 'contoso', 'test')
      forwarder.pending('contoso')
    })
    forwarder.pending('contoso')
    await forwarder.whenIdle()
    assert.deepEqual(await published(admin), [first, second])
    assert.deepEqual(await left(), [])
  })

  it('calls its hooks before publishing, again if Redis did not answer, and publishes if one fails', async () => {
    const id = await raise(admin, 'contoso', 'restricted')
    const forwarder = newForwarder()
    const done: string[] = []
    let attempts = 0
    forwarder.beforePublish.push(
      async (tenant, event) => {
        assert.deepEqual(await published(admin), [])
        if (++attempts === 1) throw new Error('Command timed out')
        done.push(`${tenant} ${event.kind} ${event.id}`)
      },
      () => Promise.reject(new TypeError('a fault of the hook')),
    )
    forwarder.pending('contoso')
    await forwarder.whenIdle()
    assert.deepEqual(done, [`contoso restricted ${id}`])
    assert.deepEqual(await published(admin), [id])
    assert.equal(errors.length, 1)
    assert.match(errors[0]!, /^before the restricted event evt_/)
  })

  it('reports that its Redis user lacks a right, and continues when it has it', async () => {
    const id = await raise(admin, 'contoso', 'restricted')
    await admin.client.call(
      ...(['ACL', 'SETUSER', 'old', 'on', 'nopass', '&*', '+@all', 'resetkeys'] as const),
      '~ud:{[a-z0-9]*}*',
    )
    store.client.disconnect()
    const login = { username: 'old', password: 'any', commandTimeout: 200 }
    store = new Store(
      connect(settingsFor(redis, login), () => {}),
      new Keys('ud:'),
    )
    await waitFor(() => store.client.status === 'ready')
    const forwarder = newForwarder()
    forwarder.pending('contoso')
    await waitFor(() => errors.length > 0)
    assert.match(errors[0]!, /^events wait: Redis does not allow our user .*NOPERM/)
    await admin.client.call('ACL', 'SETUSER', 'old', '~*')
    await forwarder.whenIdle()
    assert.deepEqual(await published(admin), [id])
  })

  it('skips and reports lines that are not events', async () => {
    const id = await raise(admin, 'contoso', 'test')
    const key = admin.keys.tenant('contoso')
    const line = await admin.client.hget(key, 'events')
    await admin.client.hset(key, 'events', ['{}', 'null', '{', line].join('\n'))
    const forwarder = newForwarder()
    forwarder.pending('contoso')
    await forwarder.whenIdle()
    assert.deepEqual(await published(admin), [id])
    assert.deepEqual(await left(), [])
    assert.equal(errors.length, 3)
  })

  it('tries a tenant again, when asked, after a failure that does not pass', async () => {
    const id = await raise(admin, 'contoso', 'test')
    const failures = [new Error('WRONGTYPE Operation against a key of the wrong kind')]
    const forwarder = newForwarder(() => {
      const failure = failures.pop()
      return failure ? Promise.reject(failure) : Promise.resolve()
    })
    forwarder.pending('contoso')
    await forwarder.whenIdle()
    assert.deepEqual([await published(admin), errors.length], [[], 1])
    forwarder.pending('contoso')
    await forwarder.whenIdle()
    assert.deepEqual(await published(admin), [id])
  })

  it('publishes nothing once the registry is lost, even if it has already begun', async () => {
    const id = await raise(admin, 'contoso', 'restricted')
    let lost = false
    let refusals = 0
    const forwarder = newForwarder(() => {
      if (!lost) return Promise.resolve()
      refusals++
      return Promise.reject(new Error('Redis has lost the registry'))
    })
    let begun = 0
    forwarder.beforePublish.push(() => {
      lost = ++begun === 1
      return Promise.resolve()
    })
    forwarder.pending('contoso')
    await waitFor(() => refusals >= 2)
    assert.deepEqual([begun, await published(admin)], [1, []])
    lost = false
    await forwarder.whenIdle()
    assert.deepEqual(await published(admin), [id])
    assert.deepEqual(errors, [])
  })

  it('reports an unreadable event and moves the others', async () => {
    await admin.client.hset(admin.keys.tenant('contoso'), 'events', 'no JSON')
    const id = await raise(admin, 'contoso', 'test')
    const forwarder = newForwarder()
    forwarder.pending('contoso')
    await forwarder.whenIdle()
    assert.deepEqual(await published(admin), [id])
    assert.deepEqual(await left(), [])
    assert.match(errors.join(), /an event of contoso cannot be read: no JSON/)
  })
})
