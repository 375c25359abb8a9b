import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import type { Charge, MessageCharge } from '../../src/allowance/ledger'
import { Restrictions } from '../../src/allowance/restriction'
import type { Alert } from '../../src/records/event'
import { Engine } from '../../src/process/engine'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { readEpoch } from '../../src/registry/epoch'
import { Registries } from '../support/registries'
import { DEFAULTS } from '../support/allowance'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'

let redis: TestRedis
let way: RedisProxy
let registry: Registries
let engine: Engine
let dropped: string[]
let alerts: Alert[]

before(async () => {
  redis = await startRedis()
  way = await startRedisProxy(redis.port)
  registry = new Registries(new Store(redis.client(), new Keys('ud:')))
})
after(async () => {
  await way.stop()
  await redis.stop()
})

beforeEach(async () => {
  await redis.client().flushall()
  await registry.tenants.add('contoso', { limits: '1/1h' }, 'test')
  dropped = []
  alerts = []
  engine = new Engine(settingsFor(way, { commandTimeout: 200 }), {
    onReady: () => {},
    onRestriction: () => {},
    onError: () => {},
    onRedisError: () => {},
    onDrop: (reason) => dropped.push(reason),
    onAlert: (alert) => alerts.push(alert),
  })
  engine.follow()
  await waitFor(() => engine.directory.connectors)
  await engine.directory.load('contoso')
})
afterEach(() => {
  way.release()
  engine.directory.stop()
  engine.store.client.disconnect()
})

function recipient(transaction: string): Charge {
  return {
    ...{ tenant: 'contoso', meter: 'unregistered', transaction, ordinal: 1 },
    domainsToken: engine.directory.peek('contoso')?.domainsToken ?? '',
    ...{ domain: 'other.example', connector: '', ip: '' },
  }
}

async function used(): Promise<number | undefined> {
  const usage = await engine.ledger.usage('contoso', DEFAULTS)
  return usage?.unregistered[0]?.used
}

/** Ends a message as a session does after its client has left. */
function chargeLater(settlement: MessageCharge): void {
  engine.inBackground('contoso', async () =>
    engine.charged(
      'contoso',
      await engine.ledger.chargeMessage(settlement, DEFAULTS),
      engine.directory.peek('contoso')?.stateToken ?? '',
    ),
  )
}

describe('an engine', () => {
  it('gives an epoch to a registry of a version without epochs, and updates an older minor schema', async () => {
    const { store, directory } = engine
    const given = await waitFor(() => readEpoch(store))
    await waitFor(() => directory.registry.epoch === given.epoch)
    await store.client.hset(store.keys.epoch, 'schema', '1.0')
    await directory.registry.check()
    await waitFor(async () => (await readEpoch(store))?.schema !== '1.0')
    assert.equal((await readEpoch(store))?.epoch, given.epoch)
    assert.equal((await engine.ledger.charge(recipient('F.0'), DEFAULTS)).answer, 'CHARGED')
  })

  it('refunds a charge in the background whose answer was lost', async () => {
    assert.equal((await engine.ledger.charge(recipient('F.0'), DEFAULTS)).answer, 'CHARGED')
    engine.refund('contoso', 'F.0', [1])
    await waitFor(async () => (await used()) === 0)
    way.hold()
    await assert.rejects(engine.ledger.charge(recipient('F.1'), DEFAULTS))
    engine.refund('contoso', 'F.1', [1])
    way.cut()
    way.release()
    await waitFor(() => used().then((count) => count === 0))
    assert.equal((await engine.ledger.charge(recipient('F.1'), DEFAULTS)).answer, 'EXPIRED')
    assert.deepEqual(dropped, [])
  })

  it('adds a restricted tenant to the index though the answer of the trip was lost', async () => {
    await engine.ledger.charge(recipient('F.1'), DEFAULTS)
    way.hold()
    await assert.rejects(engine.ledger.charge(recipient('F.2'), DEFAULTS))
    way.cut()
    way.release()
    await waitFor(() => engine.directory.peek('contoso')?.restricted)
    await waitFor(async () => (await engine.restrictions.list())[0]?.tenant === 'contoso')
    assert.deepEqual(dropped, [])
  })

  it('publishes at once what a person did to a tenant that no process has cached', async () => {
    const told: string[] = []
    // Beyond what is read when a process begins to lead.
    engine.leader.add({
      name: 'the test',
      every: 60_000,
      run: () => Promise.resolve(told.push('')),
    })
    engine.leader.start()
    await waitFor(() => told.length > 0)
    await registry.tenants.add('fabrikam', {}, 'test')
    const { store } = registry
    const act = { by: 'ann', reason: 'a test' }
    await new Restrictions(store).place('fabrikam', { ...act, scope: 'unregistered' })
    await waitFor(() =>
      alerts.some(({ kind, tenant }) => `${kind} ${tenant}` === 'restricted fabrikam'),
    )
    await new Restrictions(store).lift('fabrikam', { ...act, keepUsage: false })
    await waitFor(() =>
      alerts.some(({ kind, tenant }) => `${kind} ${tenant}` === 'lifted fabrikam'),
    )
    assert.equal(engine.directory.look('fabrikam'), undefined)
  })

  it('alerts about an allowance that a message fills after its client has left', async () => {
    await registry.tenants.set('contoso', { limits: '10/1h', forwardedLimits: '10/1h' })
    for (const meter of ['unregistered', 'forwarded'] as const) {
      chargeLater({
        ...{ tenant: 'contoso', transaction: `F.${meter}`, ordinals: [1, 2, 3, 4, 5], meter },
        ...{ signatures: ['signature'], domain: 'other.example', connector: '', ip: '' },
      })
    }
    await waitFor(() => alerts.length === 2)
    assert.deepEqual(
      alerts.map(({ kind, facts }) => [kind, facts['percent'], facts['meter']]),
      [
        ['allowance', 50, undefined],
        ['allowance', 50, 'forwarded'],
      ],
    )
  })

  it('alerts about a restriction by a message whose client has left', async () => {
    chargeLater({
      ...{ tenant: 'contoso', transaction: 'F.1', ordinals: [1, 2], meter: 'unregistered' },
      ...{ signatures: [], domain: 'other.example', connector: '', ip: '' },
    })
    await waitFor(() => alerts.length === 1)
    assert.equal(alerts[0]?.kind, 'restricted')
    await waitFor(() => engine.directory.peek('contoso')?.restricted)
    await waitFor(async () => (await engine.restrictions.list())[0]?.tenant === 'contoso')
  })

  it('still charges after release()', async () => {
    engine.release()
    assert.equal((await engine.ledger.charge(recipient('F.1'), DEFAULTS)).answer, 'CHARGED')
    engine.refund('contoso', 'F.1', [1])
    await waitFor(async () => (await used()) === 0)
  })

  it('sends refunds after release() that had to wait while the registry was lost', async () => {
    await engine.whenWritable()
    const { registry } = engine.directory
    await registry.check()
    assert.equal((await engine.ledger.charge(recipient('G.1'), DEFAULTS)).answer, 'CHARGED')
    const { epoch: key } = engine.store.keys
    await redis.client().hset(key, 'epoch', 'another')
    await assert.rejects(registry.check(), /has lost the registry/)
    engine.release()
    engine.refund('contoso', 'G.1', [1])
    await assert.rejects(registry.check())
    assert.equal(await used(), 1)
    await redis.client().hset(key, 'epoch', registry.epoch!)
    await waitFor(async () => (await used()) === 0)
  })
})
