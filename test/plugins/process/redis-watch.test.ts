import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test'
import { RedisWatch } from '../../../plugins/process/redis-watch'
import { Engine } from '../../../src/process/engine'
import { wentBackId } from '../../../src/process/lost-duty'
import type { Alert } from '../../../src/records/event'
import { confirmEpoch } from '../../../src/registry/epoch'
import { forgetLost, noteTold, readLost, reportLost } from '../../../src/registry/lost-changes'
import { Keys } from '../../../src/store/keys'
import { Store } from '../../../src/store/store'
import { waitFor } from '../../support'
import { settingsFor } from '../../support/connection'
import { startRedis, type TestRedis } from '../../support/redis'
import { startRedisProxy, type RedisProxy } from '../../support/redis-proxy'
import { Registries } from '../../support/registries'

const PATIENCE = 240

describe('the watch on Redis', () => {
  let redis: TestRedis
  let way: RedisProxy
  let admin: Store
  before(async () => {
    redis = await startRedis()
    way = await startRedisProxy(redis.port)
    admin = new Store(redis.client(), new Keys('ud:'))
  })
  after(async () => {
    await way.stop()
    await redis.stop()
  })
  beforeEach(async () => {
    await admin.client.flushall()
    await new Registries(admin).tenants.add('contoso', {}, 'test')
  })

  /** A process that has read the registry, and what it tells. */
  async function watching(t: TestContext): Promise<Alert[]> {
    const engine = new Engine(settingsFor(way, { commandTimeout: 200 }), {
      ...{ onReady() {}, onRestriction() {}, onError() {}, onRedisError() {}, onDrop() {} },
    })
    engine.follow()
    await waitFor(() => engine.directory.connectors)
    await engine.directory.load('contoso')
    const told: Alert[] = []
    const context = { engine, host: 'mx1', redis: '192.0.2.1:6379', tell: told.push.bind(told) }
    const watch = new RedisWatch(context, PATIENCE)
    watch.start()
    t.after(() => {
      watch.stop()
      engine.release()
      engine.store.client.disconnect()
    })
    return told
  }

  function titles(told: readonly Alert[]): string[] {
    return told.map(({ title }) => title.replace(/\S+Z/, 'TIME'))
  }

  it('tells that it is away, and that it answers again, as two alerts of one outage', async (t) => {
    const told = await watching(t)
    way.hold()
    await waitFor(() => told.length === 1)
    way.release()
    await waitFor(() => told.length === 2)
    assert.deepEqual(titles(told), [
      'Redis at 192.0.2.1:6379 has not answered mx1 since TIME',
      'Redis answers mx1 again',
    ])
    const [began, over] = told
    assert.deepEqual(
      [began?.kind, began?.severity, began?.alert, began?.facts['trouble'], began?.facts['host']],
      ['redis_trouble', 'High', began?.id, 'away', 'mx1'],
    )
    assert.match(String(began?.facts['reason']), /Redis/)
    assert.deepEqual([over?.kind, over?.resolves], ['resolved', began?.id])
  })

  it('tells that it has lost the registry, and that another one was accepted', async (t) => {
    const told = await watching(t)
    await admin.client.flushall()
    await waitFor(() => told.length === 1)
    await confirmEpoch(admin)
    await waitFor(() => told.length === 2)
    assert.deepEqual(titles(told), [
      'Redis at 192.0.2.1:6379 has lost the registry, as mx1 has seen since TIME',
      'Redis holds a registry that mx1 uses again',
    ])
    assert.equal(told[1]?.resolves, told[0]?.id)
  })

  const CHANGE = { what: 'mode', was: null, is: 'monitor' } as const
  const LOST = { kind: 'lost', subject: 'contoso', known: 2e15, found: 1e15, more: 0 } as const

  it('tells that it went back in time with the same id in every process, where no leader has', async (t) => {
    const all = await Promise.all([watching(t), watching(t)])
    await reportLost(admin, [{ ...LOST, changes: [CHANGE] }])
    const { since, version } = (await readLost(admin))!
    await waitFor(() => all.every((told) => told.length === 1))
    const id = wentBackId(since, version)
    assert.deepEqual(
      all.map(([alert]) => alert?.id),
      [id, id],
    )
    await forgetLost(admin, 3e15)
    await waitFor(() => all.every((told) => told.length === 2))
    assert.equal(all[0][1]?.title, 'What Redis had lost by going back in time is resolved')
  })

  it('tells only the end of a return in time that the stream of events has told of', async (t) => {
    await reportLost(admin, [{ ...LOST, changes: [CHANGE] }])
    const { since, version } = (await readLost(admin))!
    await noteTold(admin, version)
    let looks = 0
    const monitor = await redis.client().monitor()
    t.after(() => monitor.disconnect())
    monitor.on('monitor', (_time, [command, key]: string[]) => {
      if (command === 'hlen' && key === admin.keys.lost) looks++
    })
    const told = await watching(t)
    await waitFor(() => looks > 1)
    await forgetLost(admin, 3e15)
    await waitFor(() => told.length > 0)
    assert.deepEqual(
      told.map(({ resolves }) => resolves),
      [wentBackId(since, version)],
    )
  })
})
