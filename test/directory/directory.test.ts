import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { waitFor } from '../../scripts/services/wait-for'
import { Restrictions } from '../../src/allowance/restriction'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Directory } from '../../src/directory/directory'
import { Registries } from '../support/registries'
import type { Snapshot } from '../../src/directory/snapshot'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'
import { laterToken } from '../support/registry'
import { removeTenant } from '../../src/registry/tenant-removal'

const plain = (domain: string) => ({ domain, subdomains: false, shared: false })

let redis: TestRedis
let way: RedisProxy
let sites = 0

/** The operator's side: connections of its own. */
let keys: Keys
let client: Redis
let registry: Registries
let restrictions: Restrictions

/** The process under test, which reaches Redis over `way`. */
let store: Store
let directory: Directory
let ready: number[]
let restricted: [before: Snapshot, now: Snapshot][]
let errors: string[]

before(async () => {
  redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  way = await startRedisProxy(redis.port)
})
after(async () => {
  await way.stop()
  await redis.stop()
})

beforeEach(async () => {
  keys = new Keys(`t${++sites}:`)
  client = redis.client()
  const admin = new Store(client, keys)
  registry = new Registries(admin)
  restrictions = new Restrictions(admin)
  await registry.tenants.add('contoso', {}, 'test')
  await registry.domains.add('contoso', [plain('contoso.com')], 'test')
  await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1/32'] }, 'test')
  ready = []
  restricted = []
  errors = []
  store = new Store(open(), keys)
  directory = new Directory(store, {
    onReady: (connectors) => ready.push(connectors),
    onRestriction: (before, now) => restricted.push([before, now]),
    onError: (message) => errors.push(message),
  })
  directory.follow(open())
  // Subscribed, and everything asked for since.
  await waitFor(async () => (await client.pubsub('NUMSUB', keys.changes))[1] === 1)
  await waitFor(() => directory.connectors)
  // Waits for what is being read, and reads all once more: then nothing is under way.
  await directory['readEverything']()
  await settled()
  await waitFor(async () => {
    const commands = await commandsOf(() => store.client.ping())
    return Object.keys(commands).every((command) => command === 'ping')
  })
})
afterEach(() => {
  directory.stop()
  store.client.disconnect()
  redis.resume()
})

/** @param commandTimeout long enough for a busy machine, short enough for the tests that wait for it. */
function open(commandTimeout = 1000) {
  return connect(settingsFor(way, { commandTimeout }), () => {})
}

/** What the directory has been told by now it has read, and nothing is under way any more: no step takes two pings. */
async function settled(): Promise<void> {
  let commands = ''
  await waitFor(async () => {
    const before = commands
    await store.client.ping()
    const all = Object.entries(await redis.commandStats())
    commands = all.filter(([name]) => name !== 'ping').join()
    return before === commands
  })
}

/** A message that only tells where the directory stands with reading messages. */
async function messagesRead(): Promise<void> {
  const before = errors.length
  await client.publish(keys.changes, 'mark')
  await waitFor(() => errors.slice(before).some((each) => each.includes('mark')))
}

async function commandsOf(act: () => unknown): Promise<Record<string, number>> {
  await redis.resetCommandStats()
  await act()
  return redis.commandStats()
}

describe('a tenant', () => {
  it('is not known before it is loaded; then it is there without asking', async () => {
    assert.equal(directory.peek('contoso'), undefined)
    const loaded = await directory.load('contoso')
    assert.equal(loaded?.domains.has('contoso.com'), true)
    const commands = await commandsOf(() => {
      for (let at = 0; at < 100; at++) assert.equal(directory.peek('contoso'), loaded)
    })
    assert.deepEqual(commands, {})
  })

  it('that is not there is asked for each time', async () => {
    assert.equal(await directory.load('nobody'), undefined)
    assert.equal(directory.peek('nobody'), undefined)
    await registry.tenants.add('nobody', {}, 'test')
    assert.equal((await directory.load('nobody'))?.tenant, 'nobody')
  })

  it('is asked for once, however many want to know', async () => {
    await directory.load('contoso')
    const commands = await commandsOf(async () => {
      const loads = Array.from({ length: 50 }, () => directory.load('contoso'))
      assert.equal(new Set(await Promise.all(loads)).size, 1)
    })
    // The tenant, and whether the registry is still the one that is known.
    assert.equal(commands['evalsha'], 2)
  })

  it('stays the same object where nothing has changed', async () => {
    const first = await directory.load('contoso')
    assert.equal(await directory.load('contoso'), first)
  })

  it('is asked for again where a change comes while it is being asked for', async () => {
    await directory.load('contoso')
    way.hold()
    const loading = directory.load('contoso')
    await registry.tenants.set('contoso', { mode: 'off' })
    directory.refresh('contoso')
    way.release()
    await loading
    await waitFor(() => directory.peek('contoso')?.mode === 'off')
  })

  it('follows every change', async () => {
    await directory.load('contoso')
    await registry.tenants.set('contoso', { mode: 'monitor' })
    await waitFor(() => directory.peek('contoso')?.mode === 'monitor')
    await registry.domains.add('contoso', [plain('contoso.net')], 'test')
    await waitFor(() => directory.peek('contoso')?.domains.has('contoso.net'))
    await registry.domains.remove('contoso', ['contoso.com'])
    await waitFor(() => !directory.peek('contoso')?.domains.has('contoso.com'))
    await removeTenant(registry.store, 'contoso')
    await waitFor(() => directory.peek('contoso') === undefined)
    await registry.tenants.add('contoso', {}, 'test')
    assert.equal((await directory.load('contoso'))?.domains.size, 0)
  })

  it('tells of its restriction, and reads no domains for that', async () => {
    const first = await directory.load('contoso')
    const act = { by: 'anna', reason: 'abuse' }
    await restrictions.place('contoso', { ...act, scope: 'unregistered' })
    await waitFor(() => directory.peek('contoso')?.restricted === 'unregistered')
    await restrictions.place('contoso', { ...act, scope: 'all' })
    await waitFor(() => directory.peek('contoso')?.restricted === 'all')
    await restrictions.lift('contoso', { ...act, keepUsage: false })
    await waitFor(() => directory.peek('contoso')?.restricted === undefined)
    assert.equal(directory.peek('contoso')?.domains, first?.domains)
    assert.deepEqual(
      restricted.map(([before, now]) => [before.restricted, now.restricted]),
      [
        [undefined, 'unregistered'],
        ['unregistered', 'all'],
        ['all', undefined],
      ],
    )
  })

  it('is restricted from the moment that a charge says so, until Redis says otherwise', async () => {
    const first = await directory.load('contoso')
    const { stateToken } = first!
    directory.restrictionSeen('contoso', 'unregistered', 'of before a lift')
    assert.equal(directory.peek('contoso')?.restricted, undefined)
    directory.restrictionSeen('contoso', 'unregistered', stateToken)
    assert.equal(directory.peek('contoso')?.restricted, 'unregistered')
    assert.equal(directory.peek('contoso')?.domains, first?.domains)
    await waitFor(() => directory.peek('contoso')?.restricted === undefined)
    directory.restrictionSeen('fabrikam', 'all', '')
    assert.equal(directory.peek('fabrikam'), undefined)

    redis.pause()
    directory.restrictionSeen('contoso', 'all', stateToken)
    await waitFor(() => errors.length > 0)
    assert.equal(directory.peek('contoso')?.restricted, 'all')
    redis.resume()
  })

  it('is not restricted by an answer that a lift has overtaken', async () => {
    await directory.load('contoso')
    const { registry: known } = directory
    const check = known.check.bind(known)
    let overtaken = false
    Object.assign(known, {
      check: async () => {
        Object.assign(known, { check })
        await restrictions.lift('contoso', { by: 'anna', reason: 'clean', keepUsage: false })
        await messagesRead()
        overtaken = true
        await check()
      },
    })
    await restrictions.place('contoso', { by: 'anna', reason: 'abuse', scope: 'unregistered' })
    await waitFor(() => overtaken)
    await waitFor(() => directory.peek('contoso')?.stateToken !== '')
    await settled()
    assert.equal(directory.peek('contoso')?.restricted, undefined)
    assert.deepEqual(restricted, [])
  })

  it('that this process does not know is not asked for when it changes', async () => {
    const commands = await commandsOf(async () => {
      await registry.tenants.set('contoso', { mode: 'off' })
      await messagesRead()
    })
    assert.equal(commands['evalsha'] ?? commands['eval'], 1)
    assert.equal(directory.peek('contoso'), undefined)
  })

  it('is not asked for where the token is the one that is known', async () => {
    const snapshot = await directory.load('contoso')
    const commands = await commandsOf(async () => {
      for (const token of [snapshot?.stateToken, snapshot?.domainsToken]) {
        await client.publish(keys.changes, JSON.stringify({ tenant: 'contoso', token }))
      }
      await messagesRead()
    })
    assert.equal(commands['evalsha'], undefined)
  })

  it('makes room for others where there are too many', async () => {
    const pipeline = client.pipeline()
    const count = 10_100
    for (let at = 0; at < count; at++) pipeline.hset(keys.tenant(`x${at}`), 'createdAt', '1')
    await pipeline.exec()
    const patient = open(60_000)
    await waitFor(() => patient.status === 'ready')
    const nothing = (): void => {}
    const crowded = new Directory(new Store(patient, keys), {
      ...{ onReady: nothing, onRestriction: nothing, onError: nothing },
    })
    await crowded.load('contoso')
    for (let at = 0; at < count; at += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => crowded.load(`x${at + i}`)))
      // Whoever is used stays.
      assert.ok(crowded.peek('contoso'))
    }
    assert.equal(crowded.peek('x0'), undefined)
    assert.ok(crowded.peek(`x${count - 1}`))
    patient.disconnect()
  })

  it('with 5,000 domains is read in pieces', async () => {
    const entries = Object.fromEntries(
      Array.from({ length: 5000 }, (_, at) => [`d${at}.example`, '- 1764000000000 test']),
    )
    await client.hset(keys.domains('contoso'), entries)
    const commands = await commandsOf(() => directory.load('contoso'))
    assert.equal(directory.peek('contoso')?.domains.size, 5001)
    // That of its restriction.
    assert.equal(commands['hgetall'], 1)
    assert.ok(commands['hscan']! >= 4)
  })
})

describe('messages', () => {
  it('that nobody understands are told, and do no harm', async () => {
    await directory.load('contoso')
    await client.publish(keys.changes, 'nonsense')
    await client.publish(keys.changes, '{"connectors":[]}')
    await waitFor(() => errors.length === 2)
    assert.match(errors[0]!, new RegExp(`unknown message on ${keys.changes}: nonsense`))
    await registry.tenants.set('contoso', { mode: 'off' })
    await waitFor(() => directory.peek('contoso')?.mode === 'off')
  })

  it('come no more after stop()', async () => {
    await directory.load('contoso')
    directory.stop()
    await waitFor(async () => (await client.pubsub('NUMSUB', keys.changes))[1] === 0)
    await registry.tenants.set('contoso', { mode: 'off' })
    assert.equal(directory.peek('contoso')?.mode, undefined)
    // What is asked for is answered all the same.
    assert.equal((await directory.load('contoso'))?.mode, 'off')
  })
})

describe('subscribing', () => {
  it('is tried again where it fails on a connection that stays', async () => {
    const subscriber = open()
    const subscribe = subscriber.subscribe.bind(subscriber) as (channel: string) => unknown
    let attempts = 0
    Object.assign(subscriber, {
      subscribe: (channel: string) =>
        ++attempts === 1 ? Promise.reject(new Error('Command timed out')) : subscribe(channel),
    })
    directory.stop()
    directory.follow(subscriber)
    await waitFor(() => attempts === 2)
    await waitFor(async () => (await client.pubsub('NUMSUB', keys.changes))[1] === 1)
    await directory.load('contoso')
    await registry.tenants.set('contoso', { mode: 'off' })
    await waitFor(() => directory.peek('contoso')?.mode === 'off')
  })
})

describe('connectors', () => {
  it('are told once when they are there', async () => {
    assert.deepEqual(ready, [1])
    await directory.loadConnectors()
    assert.deepEqual(ready, [1])
    assert.equal(directory.connectors?.byIp('192.0.2.1')?.tenant, 'contoso')
  })

  it('are not read again where nothing has changed', async () => {
    const { version } = directory
    const commands = await commandsOf(() =>
      Promise.all([directory.loadConnectors(), directory.loadConnectors()]),
    )
    assert.deepEqual(commands, { get: 1 })
    assert.equal(directory.version, version)
  })

  it('are read one by one as they change, and make attributions old', async () => {
    const index = directory.connectors
    let { version } = directory
    const grown = () => directory.version > version && (version = directory.version)
    const commands = await commandsOf(async () => {
      await registry.connectors.add('contoso', 'b', { ip: ['192.0.2.2/32'] }, 'test')
      await waitFor(() => directory.connectors?.byIp('192.0.2.2'))
      assert.ok(grown())
      await registry.connectors.setEnabled('contoso', 'b', false)
      await waitFor(() => directory.connectors?.get('contoso/b')?.enabled === false)
      assert.ok(grown())
      await registry.connectors.remove('contoso', 'mx')
      await waitFor(() => directory.connectors?.byIp('192.0.2.1') === undefined)
      assert.ok(grown())
    })
    assert.equal(directory.connectors, index)
    assert.equal(commands['hscan'], undefined)
  })

  it('are all read where a message was lost', async () => {
    const index = directory.connectors
    const json = await client.hget(keys.connectors, 'contoso/mx')
    // Nobody tells of this one.
    await client.hset(keys.connectors, 'contoso/silent', json!.replace('192.0.2.1', '192.0.2.9'))
    await client.set(keys.connectorsToken, laterToken())
    await registry.connectors.add('contoso', 'b', { ip: ['192.0.2.2/32'] }, 'test')
    await waitFor(() => directory.connectors?.byIp('192.0.2.9'))
    assert.ok(directory.connectors?.byIp('192.0.2.2'))
    assert.notEqual(directory.connectors, index)
  })

  it('are read once, however often they change meanwhile', async () => {
    const json = (await client.hget(keys.connectors, 'contoso/mx'))!
    const many = Array.from({ length: 3000 }, (_, at) => [`contoso/m${at}`, json] as const)
    await client.hset(keys.connectors, Object.fromEntries(many))
    const reads = async (meanwhile: () => Promise<unknown>): Promise<number> => {
      await client.set(keys.connectorsToken, laterToken())
      const commands = await commandsOf(async () => {
        await Promise.all([directory.loadConnectors(), meanwhile()])
        await messagesRead()
        await settled()
      })
      return commands['hscan'] ?? 0
    }
    const undisturbed = await reads(() => Promise.resolve())
    assert.ok(undisturbed >= 10)

    let added = 0
    let isLoading = true
    const disturbed = await reads(async () => {
      const index = directory.connectors
      while (isLoading) {
        const ip = [`198.51.${added >> 8}.${added & 255}/32`]
        await registry.connectors.add('contoso', `added-${added++}`, { ip }, 'test')
        await registry.connectors.remove('contoso', `m${added}`)
        isLoading = directory.connectors === index
      }
    })
    assert.ok(added > 3, `${added} changes`)
    assert.ok(disturbed < 1.5 * undisturbed, `${disturbed} reads, and not ${undisturbed}`)
    const listed = (await registry.connectors.list('contoso')).map(({ name }) => name)
    const known = [...directory.connectors!.all()].map(({ name }) => name)
    assert.deepEqual(known.sort(), listed.sort())
  })

  it('are right in the end, whatever comes in whatever order', async () => {
    await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        const name = `c${at}`
        await registry.connectors.add('contoso', name, { ip: [`198.51.100.${at}/32`] }, 'test')
        if (at % 3 === 0) await registry.connectors.remove('contoso', name)
        else if (at % 3 === 1) await registry.connectors.setEnabled('contoso', name, false)
      }),
    )
    await messagesRead()
    const listed = await registry.connectors.list()
    const idOf = ({ tenant, name, enabled }: { tenant: string; name: string; enabled: boolean }) =>
      `${tenant}/${name} ${enabled}`
    await waitFor(() => {
      const known = [...directory.connectors!.all()].map(idOf).sort()
      assert.deepEqual(known, listed.map(idOf).sort())
      return true
    })
  })

  it('are kept where one cannot be read, and read when it can', async () => {
    await client.hset(keys.connectors, 'contoso/broken', '{')
    await client.set(keys.connectorsToken, laterToken())
    await assert.rejects(directory.loadConnectors())
    assert.equal(directory.connectors?.byIp('192.0.2.1')?.name, 'mx')
    await client.hdel(keys.connectors, 'contoso/broken')
    await registry.connectors.add('contoso', 'b', { ip: ['192.0.2.2/32'] }, 'test')
    await waitFor(() => directory.connectors?.byIp('192.0.2.2'))
  })
})

describe('owners', () => {
  it('are asked for, then known: also that there is none', async () => {
    assert.equal(directory.ownerOf('contoso.com'), undefined)
    assert.equal(await directory.askOwner('contoso.com'), 'contoso')
    assert.equal(await directory.askOwner('other.example'), null)
    const commands = await commandsOf(() => {
      assert.equal(directory.ownerOf('contoso.com'), 'contoso')
      assert.equal(directory.ownerOf('other.example'), null)
    })
    assert.deepEqual(commands, {})
  })

  for (const [what, random] of [
    ['that nobody owns', 'lure.example'],
    ['that somebody owns', 'wild.example'],
  ] as const) {
    it(`stay known, whatever domains ${what} a tenant sends from`, async () => {
      await registry.tenants.add('fabrikam', {}, 'test')
      await registry.domains.add(
        'fabrikam',
        [plain('fabrikam.com'), { ...plain('wild.example'), subdomains: true }],
        'test',
      )
      const held = [
        ['contoso.com', undefined, 'contoso'],
        ['contoso.com', 'northwind', 'contoso'],
        ['none.example', undefined, null],
        ['nowhere.example', 'northwind', null],
      ] as const
      for (const [domain, sentBy] of held) await directory.askOwner(domain, sentBy)
      for (let at = 0; at <= 10_000; at += 500) {
        const names = Array.from({ length: 500 }, (_, each) => `x${at + each}.${random}`)
        await Promise.all(names.map((name) => directory.askOwner(name, 'hog')))
      }
      for (const [domain, sentBy, owner] of held) {
        assert.equal(directory.ownerOf(domain, sentBy), owner, `${domain} ${sentBy}`)
      }
      assert.equal(directory.ownerOf(`x0.${random}`, 'hog'), undefined)
    })
  }

  it('of AUTH users and of senders are two things, and none of them outlives a change', async () => {
    await directory.askOwner('contoso.com', 'fabrikam')
    assert.equal(directory.ownerOf('contoso.com'), undefined)
    await directory.askOwner('contoso.com')
    await registry.domains.remove('contoso', ['contoso.com'])
    await waitFor(() => directory.ownerOf('contoso.com') === undefined)
    assert.equal(await directory.askOwner('contoso.com'), null)
    assert.equal(directory.ownerOf('contoso.com', 'fabrikam'), undefined)
    assert.equal(await directory.askOwner('contoso.com', 'fabrikam'), null)
    assert.equal(directory.ownerOf('contoso.com', 'fabrikam'), null)
  })

  it('are to be asked for again when names change owners, and attributions are old', async () => {
    await registry.tenants.add('fabrikam', {}, 'test')
    await directory.askOwner('contoso.com')
    await directory.askOwner('other.example')
    const { version } = directory
    await registry.domains.move('contoso.com', 'fabrikam', 'test')
    await waitFor(() => directory.ownerOf('contoso.com') === undefined)
    assert.ok(directory.version > version)
    assert.equal(directory.ownerOf('other.example'), null, 'it has not changed')
    assert.equal(await directory.askOwner('contoso.com'), 'fabrikam')

    await registry.domains.remove('fabrikam', ['contoso.com'])
    await messagesRead()
    assert.equal(directory.ownerOf('contoso.com'), undefined)
    assert.equal(await directory.askOwner('contoso.com'), null)

    await registry.domains.add('fabrikam', [plain('other.example')], 'test')
    await messagesRead()
    assert.equal(await directory.askOwner('other.example'), 'fabrikam')
    await removeTenant(registry.store, 'fabrikam')
    await messagesRead()
    assert.equal(directory.ownerOf('other.example'), undefined)
    assert.equal(await directory.askOwner('other.example'), null)
  })

  it('are asked for once, however many want to know', async () => {
    const commands = await commandsOf(async () => {
      const asked = Array.from({ length: 50 }, () => directory.askOwner('contoso.com'))
      assert.deepEqual(new Set(await Promise.all(asked)), new Set(['contoso']))
    })
    // The owner, and whether the registry is still the one that is known.
    assert.deepEqual(commands, { hmget: 2, evalsha: 1, scard: 1, time: 1 })
  })

  it('stay known where other names change owners, and not where one above does', async () => {
    for (const name of ['contoso.com', 'new.example', 'a.b.new.example', 'anew.example']) {
      await directory.askOwner(name)
    }
    const entry = { domain: 'new.example', subdomains: true, shared: false }
    await registry.domains.add('contoso', [entry, plain('x.contoso.com')], 'test')
    await messagesRead()
    assert.equal(directory.ownerOf('contoso.com'), 'contoso')
    assert.equal(directory.ownerOf('anew.example'), null)
    assert.equal(directory.ownerOf('new.example'), undefined)
    assert.equal(directory.ownerOf('a.b.new.example'), undefined)
    assert.equal(await directory.askOwner('a.b.new.example'), 'contoso')
    assert.equal(directory.ownerOf('a.b.new.example'), 'contoso')
  })

  it('are to be asked for again where nobody says which have changed, or too many have', async () => {
    const names = (count: number) => Array.from({ length: count }, (_, at) => `n${at}.example`)
    const tell = (told?: string[]) =>
      client.publish(keys.changes, JSON.stringify({ owners: true, names: told }))
    await directory.askOwner('contoso.com')
    await tell(names(10_000))
    await messagesRead()
    assert.equal(directory.ownerOf('contoso.com'), 'contoso')
    await tell(['one.more.example'])
    await messagesRead()
    assert.equal(directory.ownerOf('contoso.com'), undefined)
    await directory.askOwner('contoso.com')
    await tell()
    await messagesRead()
    assert.equal(directory.ownerOf('contoso.com'), undefined)
  })

  it('that change while they are asked for are asked for again', async () => {
    await registry.tenants.add('fabrikam', {}, 'test')
    await directory.askOwner('other.example')
    // The answer of before the change arrives after the news of it: they come over two connections.
    delayFirstAnswer(async () => {
      await registry.domains.move('contoso.com', 'fabrikam', 'test')
      await messagesRead()
    })
    await directory.askOwner('contoso.com')
    assert.equal(directory.ownerOf('contoso.com'), undefined, 'known though it has changed')
    assert.equal(await directory.askOwner('contoso.com'), 'fabrikam')
  })

  it('that are asked for after a change are not told what was answered before it', async () => {
    await registry.tenants.add('fabrikam', {}, 'test')
    let later: string | null | undefined
    delayFirstAnswer(async () => {
      await registry.domains.move('contoso.com', 'fabrikam', 'test')
      await messagesRead()
      void directory.askOwner('contoso.com').then((owner) => (later = owner))
      await waitFor(() => later)
    })
    await directory.askOwner('contoso.com')
    assert.equal(later, 'fabrikam')
    assert.equal(directory.ownerOf('contoso.com'), 'fabrikam')
  })

  /** The next answer to HMGET arrives after something else. */
  function delayFirstAnswer(interlude: () => Promise<unknown>): void {
    const { client: real } = store
    const slow = new Proxy(real, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property)
        if (property !== 'hmget') return value
        return async (...args: Parameters<Redis['hmget']>) => {
          Object.assign(store, { client: real })
          const answer = await real.hmget(...args)
          await interlude()
          return answer
        }
      },
    })
    Object.assign(store, { client: slow })
  }
})

describe('while Redis is away', () => {
  it('what is known is kept, and what is not cannot be known', async () => {
    const known = await directory.load('contoso')
    await directory.askOwner('contoso.com')
    await redis.kill()
    await waitFor(() => store.client.status !== 'ready')
    assert.equal(directory.peek('contoso'), known)
    assert.equal(directory.ownerOf('contoso.com'), 'contoso')
    assert.equal(await directory.askOwner('contoso.com'), 'contoso')
    assert.equal(directory.connectors?.byIp('192.0.2.1')?.tenant, 'contoso')
    await assert.rejects(directory.load('contoso'))
    await assert.rejects(directory.load('fabrikam'))
    await assert.rejects(directory.askOwner('other.example'))
    await assert.rejects(directory.loadConnectors())
    assert.equal(directory.peek('contoso'), known)
    await redis.restart()
    await waitFor(() => directory.load('contoso').catch(() => undefined))
  })

  it('owners that were to be asked for again count as they were', async () => {
    await directory.askOwner('contoso.com')
    await client.publish(keys.changes, '{"owners":true}')
    await waitFor(() => directory.ownerOf('contoso.com') === undefined)
    redis.pause()
    assert.equal(await directory.askOwner('contoso.com'), 'contoso')
    assert.equal(directory.ownerOf('contoso.com'), 'contoso')
    redis.resume()
  })

  it('nothing is lost: all that has changed is found when it is back', async () => {
    await directory.load('contoso')
    await directory.askOwner('contoso.com')
    const { version } = directory
    // Nobody tells of these: they stand for changes that were announced while the way was cut.
    await client.hset(keys.tenant('contoso'), { mode: 'off', state: laterToken() })
    await client.hset(keys.ownerNames, 'contoso.com', '- fabrikam')
    const json = await client.hget(keys.connectors, 'contoso/mx')
    await client.hset(keys.connectors, 'contoso/silent', json!.replace('192.0.2.1', '192.0.2.9'))
    await client.set(keys.connectorsToken, laterToken())
    assert.equal(directory.peek('contoso')?.mode, undefined)
    way.cut()
    await waitFor(() => directory.peek('contoso')?.mode === 'off')
    await waitFor(() => directory.connectors?.byIp('192.0.2.9'))
    await waitFor(() => directory.ownerOf('contoso.com') === undefined)
    assert.ok(directory.version > version)
    assert.equal(await directory.askOwner('contoso.com'), 'fabrikam')
    // And it follows again.
    await registry.tenants.set('contoso', { mode: 'monitor' })
    await waitFor(() => directory.peek('contoso')?.mode === 'monitor')
    assert.deepEqual(ready, [1])
  })

  it('a restriction placed meanwhile is found', async () => {
    await directory.load('contoso')
    way.cut()
    await restrictions.place('contoso', { scope: 'all', by: 'anna', reason: 'abuse' })
    await waitFor(() => directory.peek('contoso')?.restricted === 'all')
    assert.equal(restricted.length, 1)
  })
})

describe('a directory that starts while Redis is away', () => {
  it('knows nothing until it is there, then all', async () => {
    await redis.kill()
    const later = new Store(open(), keys)
    const told: number[] = []
    const started = new Directory(later, {
      onReady: (count) => told.push(count),
      onRestriction: () => {},
      onError: () => {},
    })
    started.follow(open())
    assert.equal(started.connectors, undefined)
    await assert.rejects(started.load('contoso'))
    await assert.rejects(started.askOwner('contoso.com'))
    await redis.restart()
    await waitFor(() => started.connectors)
    assert.deepEqual(told, [1])
    await waitFor(() => started.load('contoso').catch(() => undefined))
    started.stop()
    later.client.disconnect()
  })
})

describe('Whether the cached tenants are the same', () => {
  it('is seen by their version: it grows when one changes or goes', async () => {
    await directory.load('contoso')
    let version = directory.tenantsVersion
    const hasGrown = (): void => {
      assert.ok(directory.tenantsVersion > version)
      version = directory.tenantsVersion
    }
    await restrictions.place('contoso', { scope: 'all', by: 'test', reason: 'test' })
    await waitFor(() => directory.look('contoso')?.restricted)
    hasGrown()
    await registry.domains.add('contoso', [plain('other.example')], 'test')
    await waitFor(() => directory.look('contoso')?.domains.has('other.example'))
    hasGrown()
    await restrictions.lift('contoso', { by: 'test', reason: 'test', keepUsage: false })
    await removeTenant(new Store(client, keys), 'contoso')
    await waitFor(() => directory.look('contoso') === undefined)
    hasGrown()
  })

  it('is asked again a second after a use, so that each use is noted', async () => {
    await directory.load('contoso')
    const version = directory.tenantsVersion
    directory.peek('contoso')
    await waitFor(() => directory.tenantsVersion > version)
  })
})
