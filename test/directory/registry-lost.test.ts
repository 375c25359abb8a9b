import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { waitFor } from '../../scripts/services/wait-for'
import { Restrictions } from '../../src/allowance/restriction'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Directory } from '../../src/directory/directory'
import { confirmEpoch, ensureEpoch } from '../../src/registry/epoch'
import { RegistryUnusable } from '../../src/directory/registry-monitor'
import { Registries } from '../support/registries'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'
import { removeTenant } from '../../src/registry/tenant-removal'

const LOST = /^Redis has lost the registry: it held \w+ at [\dTZ:-]+, and holds /
const ADDRESS = '192.0.2.1'
/** Short, so that what is gone is found by age too. */
const AGE_LIMIT = 50

let redis: TestRedis
let client: Redis
let admin: Store
let registry: Registries
let restrictions: Restrictions

let store: Store
let directory: Directory
let unusable: string[]
let errors: string[]
let told: (string | undefined)[]

before(async () => {
  redis = await startRedis()
  client = redis.client()
  admin = new Store(client, new Keys('ud:'))
  registry = new Registries(admin)
  restrictions = new Restrictions(admin)
})
after(() => redis.stop())

beforeEach(async () => {
  await client.flushall()
  ;[unusable, errors, told] = [[], [], []]
  await ensureEpoch(admin)
  for (const id of ['contoso', 'fabrikam']) {
    await registry.tenants.add(id, {}, 'test')
    const domain = { domain: `${id}.example`, subdomains: false, shared: false }
    await registry.domains.add(id, [domain], 'test')
  }
  await registry.connectors.add('contoso', 'mx', { ip: [ADDRESS] }, 'test')
  await restrictions.place('fabrikam', { scope: 'unregistered', by: 'test', reason: 'abuse' })
  start()
  await knowsAll()
})
afterEach(stop)

function start(): void {
  const settings = settingsFor(redis)
  const onError = (message: string): void => void errors.push(message)
  store = new Store(connect(settings, onError), new Keys('ud:'))
  directory = new Directory(
    store,
    {
      onReady() {},
      onRestriction: (_before, now) => told.push(now.restricted),
      onError,
      onUnusable: (message) => unusable.push(message),
    },
    AGE_LIMIT,
  )
  directory.follow(connect(settings, onError))
}

function stop(): void {
  directory.stop()
  store.client.disconnect()
}

async function knowsAll(): Promise<void> {
  await waitFor(() => directory.connectors)
  await directory.load('contoso')
  await directory.load('fabrikam')
  assert.equal(await directory.askOwner('contoso.example'), 'contoso')
}

/** What this process must not forget. */
function assertKnown(): void {
  assert.equal(directory.connectors?.byIp(ADDRESS)?.tenant, 'contoso')
  assert.equal(directory.peek('contoso')?.domains.has('contoso.example'), true)
  assert.equal(directory.peek('fabrikam')?.restricted, 'unregistered')
}

async function isLost(): Promise<void> {
  directory.refresh('contoso')
  await waitFor(() => directory.registry.state === 'lost' && unusable.length > 0)
}

/** Asks for everything, as age or a reconnect would. */
async function askForAll(): Promise<void> {
  const questions = [
    () => directory.load('contoso'),
    () => directory.load('fabrikam'),
    () => directory.loadConnectors(),
    () => directory.registry.check(),
  ]
  for (const question of questions) await question().catch(() => {})
}

describe('a registry that is lost', () => {
  it('is noticed without a reconnect, and what is known holds', async () => {
    await client.flushall()
    await isLost()
    assert.match(unusable[0]!, LOST)
    assert.match(unusable[0]!, /holds none\. .*tenantctl restore.*tenantctl init --force/)
    await askForAll()
    assertKnown()
    assert.equal(await directory.askOwner('contoso.example'), 'contoso')
    assert.deepEqual(told, [])
  })

  it('leaves what was never known undecided', async () => {
    await client.flushall()
    await isLost()
    await assert.rejects(directory.load('northwind'), RegistryUnusable)
    await assert.rejects(directory.askOwner('northwind.example'), RegistryUnusable)
  })

  it('is not asked for tenants while it is lost', async () => {
    await client.flushall()
    await isLost()
    await redis.resetCommandStats()
    for (let at = 0; at < 20; at++) await directory.load('contoso').catch(() => {})
    const { hmget = 0 } = await redis.commandStats()
    assert.equal(hmget, 0)
  })

  it('is noticed at the first question, before anything of it is believed', async () => {
    stop()
    // Nothing is asked for by age.
    const settings = settingsFor(redis)
    store = new Store(
      connect(settings, () => {}),
      new Keys('ud:'),
    )
    directory = new Directory(store, { onReady() {}, onRestriction() {}, onError() {} })
    directory.follow(connect(settings, () => {}))
    await knowsAll()
    await client.flushall()
    // Somebody registers the restricted tenant anew, and it has no restriction there.
    await ensureEpoch(admin)
    await registry.tenants.add('fabrikam', {}, 'test')
    await assert.rejects(directory.load('fabrikam'), RegistryUnusable)
    assertKnown()
  })

  it('is not healed by what other processes or tenants files write', async () => {
    await client.flushall()
    await isLost()
    await ensureEpoch(admin)
    await registry.tenants.add('fabrikam', {}, 'test')
    await registry.connectors.add('fabrikam', 'mx', { ip: [ADDRESS] }, 'test')
    await askForAll()
    assertKnown()
    assert.match(unusable.at(-1)!, /another one, \w+ of [\dTZ:-]+ with 1 tenant\./)
  })

  it('is healed by its own epoch, when it is restored', async () => {
    const epoch = directory.registry.epoch!
    await client.flushall()
    await isLost()
    await registry.tenants.add('contoso', { mode: 'off' }, 'test')
    await confirmEpoch(admin, epoch)
    await waitFor(() => directory.peek('contoso')?.mode === 'off')
    // Redis is right again, also where it has less.
    await waitFor(() => directory.peek('fabrikam') === undefined)
    assert.equal(directory.registry.state, 'usable')
  })

  it('is replaced by the word of an operator, and all else forgotten', async () => {
    const before = directory.registry.epoch
    await client.flushall()
    await isLost()
    await registry.tenants.add('northwind', {}, 'test')
    const { epoch } = await confirmEpoch(admin)
    await waitFor(() => directory.registry.epoch === epoch)
    await waitFor(() => directory.connectors?.size === 0)
    await waitFor(() => directory.peek('contoso') === undefined)
    await waitFor(async () => (await directory.askOwner('contoso.example')) === null)
    assert.equal((await directory.load('northwind'))?.tenant, 'northwind')
    assert.notEqual(before, epoch)
  })

  it('is noticed by a process that starts with the knowledge of another', async () => {
    const { epoch, seenAt } = directory.registry
    const remembered = { ...directory.peek('fabrikam')!, domains: new Map() }
    stop()
    await client.flushall()
    // As in the wrong database: an operator has confirmed it, but before ours was last seen.
    await confirmEpoch(admin)
    await registry.tenants.add('fabrikam', {}, 'test')
    start()
    directory.remember({
      epoch: epoch!,
      seenAt: seenAt + 60_000,
      tenants: [remembered],
      restrictions: [],
    })
    await isLost()
    assert.equal(directory.peek('fabrikam')?.restricted, 'unregistered')
    assert.equal(directory.connectors, undefined)
  })

  it('is lost to a process that knows no tenant, too, and gets no epoch by which others would believe it', async (t) => {
    const { epoch } = directory.registry
    const idle = new Store(
      connect(settingsFor(redis), () => {}),
      new Keys('ud:'),
    )
    t.after(() => idle.client.disconnect())
    const given: string[] = []
    const another = new Directory(idle, {
      onReady() {},
      onRestriction() {},
      onError() {},
      onOutdated: () => given.push('epoch'),
    })
    await waitFor(() => idle.client.status === 'ready')
    await another.registry.check()
    assert.equal(another.registry.epoch, epoch)
    await client.flushall()
    await assert.rejects(another.registry.check(), { message: LOST })
    assert.deepEqual(given, [])
    await isLost()
    assertKnown()
  })

  it('is none where nothing was known of it', async () => {
    stop()
    await client.flushall()
    start()
    directory.remember({ epoch: 'before', seenAt: Date.now(), tenants: [], restrictions: [] })
    await waitFor(() => directory.registry.state === 'usable')
    await waitFor(() => directory.connectors?.size === 0)
    assert.deepEqual(unusable, [])
  })
})

describe('a registry without an epoch', () => {
  it('is lost, be there tenants or not: they may have been registered after a loss', async () => {
    await client.del(admin.keys.epoch)
    await client.del(admin.keys.restriction('fabrikam'))
    await isLost()
    assert.match(unusable[0]!, /and holds 2 tenants without an epoch\. /)
    await askForAll()
    assertKnown()
    const { epoch } = await confirmEpoch(admin)
    await waitFor(() => directory.registry.epoch === epoch)
  })
})

describe('a part of the registry that is lost, as with one primary of a Cluster', () => {
  it('a tenant that the index names is kept, and comes back', async () => {
    const { keys } = admin
    const dump = await client.dumpBuffer(keys.tenant('fabrikam'))
    await client.del(keys.tenant('fabrikam'), keys.restriction('fabrikam'))
    assert.equal((await directory.load('fabrikam'))?.restricted, 'unregistered')
    assertKnown()
    await waitFor(() => {
      directory.refresh('fabrikam')
      return directory.hasLost('fabrikam')
    })
    assertKnown()
    await client.restore(keys.tenant('fabrikam'), 0, dump)
    await restrictions.place('fabrikam', { scope: 'all', by: 'test', reason: 'abuse' })
    await waitFor(() => directory.peek('fabrikam')?.restricted === 'all')
  })

  it('connectors are kept', async () => {
    const { keys } = admin
    await client.del(keys.connectors, keys.connectorsToken, keys.connectorIdentities)
    await assert.rejects(directory.loadConnectors(), /connectors are gone from Redis/)
    assertKnown()
  })

  it('owners are kept', async () => {
    const { keys } = admin
    await client.del(keys.ownerNames, keys.ownerIndex, keys.ownerVersion)
    assert.equal(await directory.askOwner('contoso.example'), 'contoso')
    await waitFor(async () => {
      const owner = directory.ownerOf('contoso.example')
      assert.equal(owner ?? (await directory.askOwner('contoso.example')), 'contoso')
      return errors.some((each) => each.includes('owners of domains are gone'))
    })
  })

  it('a tenant that was removed is gone all the same', async () => {
    await removeTenant(registry.store, 'contoso')
    await waitFor(() => directory.peek('contoso') === undefined)
    await waitFor(() => directory.connectors?.size === 0)
  })
})

describe('a registry in a later schema', () => {
  it('of the same major is used', async () => {
    await client.hset(admin.keys.epoch, 'schema', '1.99')
    await directory.registry.check()
    await registry.tenants.set('contoso', { mode: 'off' })
    await waitFor(() => directory.peek('contoso')?.mode === 'off')
  })

  it('of a later major is not read, and what is known holds until this is updated', async () => {
    await client.hset(admin.keys.epoch, 'schema', '2.0')
    await client.del(admin.keys.connectors)
    await waitFor(() => directory.registry.state === 'newer')
    assert.match(unusable[0]!, /schema 2\.0, and this version reads 1\.x.*Update this plugin/)
    await askForAll()
    assertKnown()
    await client.hset(admin.keys.epoch, 'schema', '1.1')
    await waitFor(() => directory.registry.state === 'usable')
  })
})
