// A change is confirmed by every process that follows the registry, or it is said which has not, and why.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test'
import { Restrictions } from '../../src/allowance/restriction'
import { confirmed, isConfirmed, type Confirmation } from '../../src/nodes/confirm'
import { CONNECTORS } from '../../src/nodes/question'
import { Engine } from '../../src/process/engine'
import { ensureEpoch } from '../../src/registry/epoch'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, waitFor, type TestRedis } from '../support'
import { settingsFor } from '../support/connection'
import { beat, LONG_AGO } from '../support/nodes'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'
import { Registries } from '../support/registries'

const ACT = { by: 'ann', reason: 'taken over' }
/** `records/lua/include/change.lua` whose announcements are lost. */
const UNANNOUNCED = {
  change: `
-- @include store/clock
-- @include store/key
local function new_token(random) return string.format('%.0f-%s', now_us(), random) end
local function announce() end
local function change_tenant(tenant_key, field, random)
  local token = new_token(random)
  redis.call('HSET', tenant_key, field, token)
  return token
end
`,
}

describe('a confirmed change', () => {
  let redis: TestRedis
  let keys: Keys
  let store: Store
  let registry: Registries
  let sites = 0

  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
  beforeEach(async () => {
    keys = new Keys(`s${++sites}:`)
    store = new Store(redis.client(), keys)
    registry = new Registries(store)
    await registry.tenants.add('contoso', {}, 'ann')
    await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1/32'] }, 'ann')
  })

  /** A process that knows contoso, with a heartbeat on this host. */
  async function start(t: TestContext, host = 'mx1'): Promise<{ engine: Engine; way: RedisProxy }> {
    const way = await startRedisProxy(redis.port)
    const engine = new Engine(
      { ...settingsFor(way), prefix: keys.prefix },
      { onReady() {}, onRestriction() {}, onError() {}, onRedisError() {}, onDrop() {} },
    )
    t.after(async () => {
      engine.directory.stop()
      engine.store.client.disconnect()
      await way.stop()
    })
    engine.follow()
    await waitFor(() => engine.directory.isCurrent)
    await engine.directory.load('contoso')
    await beat(store, { id: engine.processId, host, worker: 1, pid: 1 })
    return { engine, way }
  }

  const block = (by = store): Promise<unknown> =>
    new Restrictions(by).place('contoso', { ...ACT, scope: 'unregistered' })

  async function asked(subjects = ['contoso'], change = () => block()): Promise<Confirmation> {
    return (await confirmed(store, subjects, change)).confirmation
  }

  /** Asks until the answer is as it must be: a busy machine may take longer than a person waits. */
  async function askedUntil(
    is: (confirmation: Confirmation) => boolean,
    subjects?: string[],
    change?: () => Promise<unknown>,
  ): Promise<Confirmation> {
    let last: Confirmation | undefined
    await waitFor(async () => is((last = await asked(subjects, change))), {
      what: `the confirmation, which was ${JSON.stringify(last)}`,
    })
    return last!
  }

  it('is in force in all processes on all hosts, whether they know the tenant or not', async (t) => {
    const processes = [await start(t), await start(t), await start(t, 'mx2')]
    await registry.tenants.add('fabrikam', {}, 'ann')
    const { inForce, of, hosts, missing } = await askedUntil(isConfirmed)
    assert.deepEqual({ inForce, of, hosts, missing }, { inForce: 3, of: 3, hosts: 2, missing: [] })
    for (const { engine } of processes) {
      assert.equal(engine.directory.look('contoso')?.restricted, 'unregistered')
    }
    await askedUntil(isConfirmed, ['fabrikam'], () =>
      new Restrictions(store).place('fabrikam', { ...ACT, scope: 'all' }),
    )
  })

  it('returns what the change returns, and is not asked about where that fails', async (t) => {
    await start(t)
    const { result } = await confirmed(store, ['contoso'], () => Promise.resolve('made'))
    assert.equal(result, 'made')
    const changes = redis.client()
    const heard: string[] = []
    changes.on('message', (_channel: string, message: string) => heard.push(message))
    await changes.subscribe(keys.changes)
    const fails = confirmed(store, ['contoso'], () => Promise.reject(new Error('no such tenant')))
    await assert.rejects(fails, /no such tenant/)
    await store.client.publish(keys.changes, 'the end')
    await waitFor(() => heard.includes('the end'))
    assert.deepEqual(heard, ['the end'])
  })

  for (const [what, subject] of [
    ['a block of a tenant', 'contoso'],
    ['a block of a connector', CONNECTORS],
  ] as const) {
    it(`is confirmed only once it is in force, where the announcement of ${what} is lost`, async (t) => {
      const { engine } = await start(t)
      const silent = new Store(store.client, keys, UNANNOUNCED)
      const change =
        subject === CONNECTORS
          ? () => new Registries(silent).connectors.block('contoso', 'mx', ACT)
          : () => block(silent)
      await askedUntil(isConfirmed, [subject], change)
      const { directory } = engine
      const now =
        subject === CONNECTORS
          ? directory.connectors?.get('contoso/mx')?.blocked?.reason
          : directory.look('contoso')?.restricted
      assert.equal(now, subject === CONNECTORS ? ACT.reason : 'unregistered')
    })
  }

  it('names the process that does not answer, and since when it has said nothing', async (t) => {
    await start(t)
    await beat(store, { id: 'gone', host: 'mx2', worker: 3 }, LONG_AGO)
    const { inForce, of, missing } = await askedUntil(({ inForce }) => inForce === 1)
    assert.deepEqual([inForce, of], [1, 2])
    const [{ node, why, silent } = assert.fail('none is missing'), ...others] = missing
    assert.deepEqual([node.host, node.worker, why, others], ['mx2', 3, '', []])
    assert.ok(silent >= LONG_AGO)
  })

  it('names the process whose answers from Redis do not arrive', async (t) => {
    await start(t)
    const { way } = await start(t, 'mx2')
    way.freeze()
    const { missing } = await askedUntil(({ inForce }) => inForce === 1)
    assert.deepEqual(
      missing.map(({ node }) => node.host),
      ['mx2'],
    )
  })

  it('says that a process does not accept the registry', async (t) => {
    await ensureEpoch(store)
    const { engine } = await start(t)
    await store.client.del(keys.epoch)
    await engine.directory.registry.check().catch(() => {})
    assert.equal(engine.registryState, 'lost')
    const { missing } = await askedUntil(({ missing: [first] }) => first?.why !== '')
    assert.deepEqual(
      missing.map(({ why }) => why),
      ['its registry is lost'],
    )
  })

  it('does not wait for a process that ends after its sessions', async (t) => {
    await start(t)
    await beat(store, { id: 'draining', draining: true })
    const { of } = await askedUntil(isConfirmed)
    assert.equal(of, 1)
  })

  it('counts the processes of versions that cannot confirm', async (t) => {
    await start(t)
    const older = redis.client()
    await older.subscribe(keys.changes)
    const confirmation = await askedUntil(({ inForce }) => inForce === 1)
    assert.deepEqual([confirmation.older, isConfirmed(confirmation)], [1, false])
  })

  it('is not in force for certain where no process is known', async () => {
    const confirmation = await asked()
    assert.deepEqual([confirmation.of, isConfirmed(confirmation)], [0, false])
  })

  it('stands where the Redis user may not ask', async (t) => {
    await start(t)
    await store.client.call('acl', 'setuser', `old${sites}`, 'on', '>pw', '~*', '+@all')
    await store.client.call(
      'acl',
      'setuser',
      `old${sites}`,
      'resetchannels',
      `&${keys.changes}`,
      `&${keys.audited}`,
    )
    const { port } = redis
    const settings = { ...settingsFor({ port }), username: `old${sites}`, password: 'pw' }
    const client = connect(settings, () => {})
    t.after(() => client.disconnect())
    await waitFor(() => client.status === 'ready')
    const old = new Store(client, keys)
    const { result, confirmation } = await confirmed(old, ['contoso'], () => block(old))
    assert.deepEqual([result, confirmation.notAsked], ['placed', 'load docs/acl/tenantctl.acl'])
  })
})
