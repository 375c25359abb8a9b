import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, afterEach, before, describe, it, test } from 'node:test'
import { formatIni } from '../../scripts/services/ini'
import { connect, type RedisSettings } from '../../src/store/connection'
import type { Client } from '../../src/store/store'
import {
  CertificateAuthority,
  scratchDir,
  startRedis,
  startRedisSentinel,
  tenantctl,
  waitFor,
  type TestRedisSentinel,
} from '../support'
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
      // Those who are connected, the other sentinels, stay so.
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

  it('finds the primary where the sentinels want a password, and Redis none', async () => {
    const client = open()
    await waitFor(() => client.status === 'ready')
    assert.deepEqual(errors, [])
  })

  for (const [what, settings, message] of [
    ['password', { sentinelPassword: 'wrong' }, /^no sentinel names .* mail: WRONGPASS /],
    ['name', { sentinelName: 'nobody' }, /^no sentinel names .* nobody: ERR No such master/],
  ] as const) {
    it(`says what is wrong with a wrong ${what}, each time in the same words`, async () => {
      open(settings)
      await waitFor(() => errors.length >= 3)
      assert.match(errors[0]!, message)
      assert.equal(new Set(errors).size, 1)
    })
  }

  it('asks the sentinels where the primary has no replicas, but not at each answer', async () => {
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

  it('asks the next sentinel where one does not answer', async () => {
    redis.sentinels[0]!.pause()
    const client = open({ commandTimeout: 100 })
    await waitFor(() => client.status === 'ready')
  })
})

test('TLS to the sentinels and to the primary', async (t) => {
  const authority = new CertificateAuthority('redis')
  const tls = { ...authority.issue({ names: ['localhost'] }), ca: authority.cert }
  const redis = await startRedis({ tls })
  t.after(() => redis.stop())
  // By name, since it is the name that the certificate is for.
  const watch = [
    'sentinel resolve-hostnames yes',
    'sentinel announce-hostnames yes',
    `sentinel monitor mail localhost ${redis.port} 1`,
  ]
  const sentinel = await startRedis({ tls, config: watch, args: ['--sentinel'] })
  t.after(() => sentinel.stop())

  const config = scratchDir('config')
  const authorities = path.join(config, 'ca.pem')
  writeFileSync(authorities, authority.cert)
  writeFileSync(
    path.join(config, 'unregistered-domain.ini'),
    formatIni({
      redis: { sentinels: [`localhost:${sentinel.port}`], sentinel_name: 'mail', tls: true },
    }),
  )
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: authorities }
  const run = await tenantctl(['--config', config, 'tenant', 'list'], { env })
  assert.equal(run.status, 0, run.stderr)
})
