import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { anotherConnection, connect } from '../../src/store/connection'
import type { RedisSettings } from '../../src/store/settings'
import type { Client } from '../../src/store/store'
import { startRedisSentinel, waitFor, type TestRedisSentinel } from '../support'
import { settingsFor } from '../support/connection'

describe('a connection by Sentinel', () => {
  let redis: TestRedisSentinel
  const clients: Client[] = []
  let errors: string[] = []

  before(async () => {
    redis = await startRedisSentinel()
    for (const sentinel of redis.sentinels) {
      const admin = sentinel.client()
      await admin.call('ACL', 'SETUSER', 'mail', 'on', '>00712', '&*', '+@all')
      // Connected clients, the other sentinels, stay connected.
      await admin.call('ACL', 'SETUSER', 'default', 'off')
    }
  })
  after(() => redis?.stop())
  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect()
    for (const sentinel of redis.sentinels) sentinel.resume()
    errors = []
  })

  function open(settings: Partial<RedisSettings> = {}): Client {
    const all = {
      sentinels: redis.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      sentinelName: redis.settings.sentinel_name,
      sentinelUsername: 'mail',
      sentinelPassword: '00712',
      ...settings,
    }
    // `host` and `port` must not matter.
    const client = connect(settingsFor({ port: 1 }, all), (message) => errors.push(message))
    clients.push(client)
    return client
  }

  it('finds the primary where the sentinels need a password, and Redis none', async () => {
    const client = open()
    await waitFor(() => client.status === 'ready')
    assert.deepEqual(errors, [])
  })

  it('makes one more connection to the primary, which hears what is published there', async () => {
    const client = open()
    await waitFor(() => client.status === 'ready')
    const another = anotherConnection(client)
    clients.push(another)
    await another.connect()
    const heard = new Promise((resolve) =>
      another.once('message', (_channel, text) => resolve(text)),
    )
    await another.subscribe('news')
    await client.publish('news', 'hello')
    assert.equal(await heard, 'hello')
  })

  for (const [what, settings, message] of [
    ['password', { sentinelPassword: 'wrong' }, /^no sentinel names .* mail: WRONGPASS /],
    ['name', { sentinelName: 'nobody' }, /^no sentinel names .* nobody: ERR No such master/],
  ] as const) {
    it(`names a wrong ${what}, each time in the same words`, async () => {
      open(settings)
      await waitFor(() => errors.length >= 3)
      assert.match(errors[0]!, message)
      assert.equal(new Set(errors).size, 1)
    })
  }

  it('asks the sentinels about a primary without replicas, but not for each answer', async () => {
    const primary = redis.nodes[0]!.client()
    await primary.config('SET', 'min-replicas-to-write', '9')
    const client = open()
    let closed = 0
    client.on('close', () => closed++)
    await waitFor(() => client.status === 'ready')
    const refused = () => assert.rejects(client.set('x', 'y'), /NOREPLICAS/)
    await refused()
    await waitFor(() => closed === 1)
    await waitFor(() => client.status === 'ready')
    for (let turn = 1; turn <= 50; turn++) await waitFor(() => refused().then(() => true))
    assert.ok(closed <= 10, `${closed} times`)
    await primary.config('SET', 'min-replicas-to-write', '0')
    await waitFor(async () => (await client.set('x', 'y')) === 'OK')
  })

  it('asks the next sentinel when one does not answer', async () => {
    redis.sentinels[0]!.pause()
    const client = open({ commandTimeout: 100 })
    await waitFor(() => client.status === 'ready')
  })
})
