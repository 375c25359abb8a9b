import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Connection, Plugin } from '../../plugins/kit/haraka'
import { RedisTroubles } from '../../plugins/kit/redis-troubles'
import { Hooks } from '../../plugins/session/hooks'
import { waitFor } from '../../scripts/services/wait-for'
import { parseConfig } from '../../src/process/config'
import { parseEnvelope } from '../../src/names/envelope'
import { Engine } from '../../src/process/engine'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Registries } from '../support/registries'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'

let redis: TestRedis
let engine: Engine

before(async () => {
  redis = await startRedis()
  const registry = new Registries(new Store(redis.client(), new Keys('ud:')))
  await registry.tenants.add('contoso', {}, 'test')
  await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1'] }, 'test')
  const nothing = (): void => {}
  engine = new Engine(settingsFor(redis), {
    ...{ onReady: nothing, onRestriction: nothing, onError: nothing },
    ...{ onRedisError: nothing, onDrop: nothing },
  })
  engine.follow()
  await waitFor(() => engine.directory.connectors)
})
after(async () => {
  engine.directory.stop()
  engine.store.client.disconnect()
  await redis.stop()
})

it('mail that passes because its tenant cannot be loaded is reported, once a recipient', async () => {
  await redis.kill()
  await waitFor(() => engine.store.client.status !== 'ready')
  const { config } = parseConfig({ outage: { unregistered: 'accept' } }, '.')
  const plugin = { name: 'unregistered-domain', logerror: () => {} } as unknown as Plugin
  const hooks = new Hooks(
    plugin,
    () => config,
    () => engine,
    new RedisTroubles(plugin, 'redis:6379'),
  )
  const told: unknown[] = []
  const errors: string[] = []
  const recipient = parseEnvelope('someone@far.example')
  const connection = {
    remote: { ip: '192.0.2.1' },
    notes: {},
    tls: {},
    relaying: true,
    results: { get: () => undefined },
    transaction: {
      mail_from: parseEnvelope('x@lure.example'),
      rcpt_to: [recipient],
      notes: {},
      results: {
        add: (_plugin: unknown, result: unknown) => void told.push(result),
        get: () => ({ err: errors }),
        redis_publish: () => {},
      },
    },
  } as unknown as Connection
  assert.equal(await hooks.mail(connection), undefined)
  assert.equal(await hooks.rcpt(connection, [recipient]), undefined)
  assert.equal(await hooks.rcptOk(connection, recipient), undefined)
  const facts = { tenant: 'contoso', connector: 'contoso/mx', domain: 'lure.example' }
  assert.deepEqual(told, [{ ...facts, verdict: 'pass', human: 'tenant-unknown' }])
  assert.deepEqual(errors, ['tenant-unknown'])
})
