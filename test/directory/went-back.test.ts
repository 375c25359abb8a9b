import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { Restrictions } from '../../src/allowance/restriction'
import { Directory } from '../../src/directory/directory'
import { ConnectorRegistry } from '../../src/registry/connector-registry'
import { acceptContent, ensureEpoch } from '../../src/registry/epoch'
import { forgetLost, OWNERS, readLost, type PutBack } from '../../src/registry/lost-changes'
import { markOf } from '../../src/records/token'
import { removeTenant } from '../../src/registry/tenant-removal'
import { connect, connectSubscriber } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store, type Client } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'
import { interrupted } from '../support/interrupted'
import { laterToken } from '../support/registry'
import { Registries } from '../support/registries'

const BY = { by: 'anna', reason: 'abuse' }
const SCOPE = 'unregistered'

let redis: TestRedis
let client: Client
let admin: Store
let registry: Registries
let restrictions: Restrictions
let processes: Process[]

/** What one process knows. */
interface Process {
  readonly directory: Directory
  readonly store: Store
  readonly log: string[]
  readonly putBack: PutBack[]
}

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
  await ensureEpoch(admin)
  for (const id of ['contoso', 'fabrikam']) {
    await registry.tenants.add(id, {}, 'test')
    await registry.domains.add(id, [plain(`${id}.example`)], 'test')
  }
  await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1/32'] }, 'test')
  processes = [await start(), await start()]
})
afterEach(() => {
  for (const { directory, store } of processes) {
    directory.stop()
    store.client.disconnect()
  }
})

/** @param interlude what happens before an answer to GET is used. */
async function start(interlude?: (...args: unknown[]) => Promise<unknown>): Promise<Process> {
  const settings = settingsFor(redis)
  const own = new Store(
    connect(settings, () => {}),
    new Keys('ud:'),
  )
  const store = interlude ? interrupted(own, interlude, { command: 'get' }) : own
  const log: string[] = []
  const putBack: PutBack[] = []
  const directory = new Directory(store, {
    onReady() {},
    onRestriction: (_before, now) => log.push(now.restricted ?? 'unblocked'),
    onError: (message) => log.push(message),
    onPutBack: (what) => putBack.push(what),
  })
  directory.follow(connectSubscriber(settings, store.client, () => {}))
  await waitFor(() => directory.connectors)
  await waitFor(() => directory.load('contoso').catch(() => undefined))
  // It hears what is announced.
  await waitFor(async () => {
    await client.publish(store.keys.changes, 'no change')
    return log.some((line) => line.startsWith('unknown message'))
  })
  return { directory, store, log, putBack }
}

/** Waits until all processes agree. */
async function all(what: (directory: Directory) => unknown): Promise<void> {
  await waitFor(() => processes.every(({ directory }) => what(directory)), {
    what: String(what),
  })
}

const isRestricted = (directory: Directory): boolean =>
  directory.peek('contoso')?.restricted === SCOPE

/** Remembers the content of Redis; the result brings it back, and closes all connections, as a restart does. */
async function moment(): Promise<() => Promise<void>> {
  const keys = await client.keys('*')
  const dumps = await Promise.all(keys.map((key) => client.dumpBuffer(key)))
  return async () => {
    const back = client.multi().flushall()
    keys.forEach((key, at) => back.restore(key, 0, dumps[at]!))
    await back.exec()
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  }
}

/** Waits until every process has heard what was announced before. */
async function heard(): Promise<void> {
  await registry.tenants.set('contoso', { mode: 'off' })
  await all((directory) => directory.peek('contoso')?.mode === 'off')
}

async function audits(what: string): Promise<number> {
  const trail = await client.lrange(admin.keys.audit('contoso'), 0, -1)
  return trail.filter((line) => line.split('\t')[2] === what).length
}

async function lost(): Promise<Record<string, string>> {
  const report = await readLost(admin)
  return Object.fromEntries(
    (report?.lost ?? []).flatMap(({ subject, changes }) =>
      changes.map(({ what, was, is }) => [`${subject} ${what}`, `${was} → ${is}`]),
    ),
  )
}

function plain(domain: string) {
  return { domain, subdomains: false, shared: false }
}

describe('a change of owners', () => {
  it('that is announced while a process reads their version is not taken for lost', async () => {
    let reads = 0
    let interlude = (): Promise<unknown> => Promise.resolve()
    const reading = await start(async (key) => {
      if (key !== admin.keys.ownerVersion) return
      reads++
      await interlude()
    })
    // Only what this process finds is reported.
    for (const { directory } of processes) directory.stop()
    processes.push(reading)
    const readAgain = (): Promise<unknown> => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    interlude = async () => {
      interlude = () => Promise.resolve()
      await registry.domains.add('fabrikam', [plain('new.example')], 'test')
      const before = reading.log.length
      await waitFor(async () => {
        await client.publish(admin.keys.changes, 'heard what came before')
        return reading.log.length > before
      })
    }
    const before = reads
    await readAgain()
    await waitFor(() => reads > before)
    await waitFor(async () => (await registry.domains.list('fabrikam')).length === 2)
    // What it finds is reported together with what it really finds to be lost next.
    const goBack = await moment()
    await registry.tenants.set('contoso', { mode: 'monitor' })
    await waitFor(() => reading.directory.peek('contoso')?.mode === 'monitor')
    await goBack()
    await waitFor(async () => 'contoso mode' in (await lost()))
    const report = await readLost(admin)
    const found = [...report!.lost, ...report!.missing].map(({ subject }) => subject)
    assert.deepEqual(found, ['contoso'])
  })
})

describe('a restriction that Redis loses', () => {
  it('stays in effect, and is put back once with its case and event', async () => {
    const goBack = await moment()
    await restrictions.place('contoso', { ...BY, scope: SCOPE })
    const before = await client.hgetall(admin.keys.restriction('contoso'))
    await all(isRestricted)
    const told = processes.map(({ log }) => log.length)
    await goBack()
    await waitFor(() => client.exists(admin.keys.restriction('contoso')))
    assert.deepEqual(await client.hgetall(admin.keys.restriction('contoso')), before)
    await waitFor(async () => (await readLost(admin))?.putBack.length === 1)
    assert.equal(await audits('restriction put back'), 1)
    assert.equal(processes.flatMap(({ putBack }) => putBack).length, 1)
    assert.equal(await client.hget(admin.keys.tenant('contoso'), 'cases'), '1')
    assert.match((await client.hget(admin.keys.tenant('contoso'), 'events'))!, /restricted/)
    assert.equal(await client.sismember(admin.keys.restricted, 'contoso'), 1)
    assert.deepEqual(await lost(), {})
    processes.forEach(({ log }, at) => assert.ok(!log.slice(told[at]).includes('unblocked')))
    const report = await readLost(admin)
    assert.deepEqual(report?.missing, [])
  })

  it('of a tenant that no process has cached is put back too', async () => {
    const goBack = await moment()
    await restrictions.place('fabrikam', { ...BY, scope: 'all' })
    await goBack()
    await waitFor(() => client.exists(admin.keys.restriction('fabrikam')))
    assert.deepEqual((await readLost(admin))?.missing ?? [], [])
  })

  it('is widened again', async () => {
    await restrictions.place('contoso', { ...BY, scope: SCOPE })
    await all(isRestricted)
    const goBack = await moment()
    await restrictions.place('contoso', { ...BY, scope: 'all' })
    await all((directory) => directory.peek('contoso')?.restricted === 'all')
    await goBack()
    await waitFor(async () => (await restrictions.get('contoso'))?.scope === 'all')
    assert.equal((await restrictions.get('contoso'))?.case, 'contoso:1')
    await all((directory) => directory.peek('contoso')?.restricted === 'all')
  })
})

describe('a lift that Redis loses', () => {
  it('is put back, with its probation', async () => {
    await restrictions.place('contoso', { ...BY, scope: SCOPE })
    await all(isRestricted)
    const goBack = await moment()
    const probation = { limits: '1/1h', duration: 3_600_000 }
    await restrictions.lift('contoso', { ...BY, keepUsage: false, probation })
    await all((directory) => !isRestricted(directory))
    const before = await client.hmget(admin.keys.tenant('contoso'), 'lifted', 'probation')
    await goBack()
    await waitFor(async () => (await client.exists(admin.keys.restriction('contoso'))) === 0)
    const now = await client.hmget(admin.keys.tenant('contoso'), 'lifted', 'probation')
    assert.deepEqual(now, before)
    assert.equal(await audits('lift put back'), 1)
    await all((directory) => !isRestricted(directory))
  })

  it('with its restriction is put back before a process that missed it restores the restriction', async () => {
    const goBack = await moment()
    await restrictions.place('contoso', { ...BY, scope: SCOPE })
    await all(isRestricted)
    await restrictions.lift('contoso', { ...BY, keepUsage: false })
    await all((directory) => !isRestricted(directory))
    await goBack()
    await waitFor(() => client.hexists(admin.keys.tenant('contoso'), 'lifted'))
    assert.equal(await client.exists(admin.keys.restriction('contoso')), 0)
    assert.equal(await audits('restriction put back'), 0)
  })
})

describe('other changes that Redis loses', () => {
  it('stay in effect and are reported, until they are accepted', async () => {
    await registry.domains.add('contoso', [plain('old.example')], 'test')
    await registry.connectors.add('contoso', 'gone', { ip: ['192.0.2.2/32'] }, 'test')
    await all((directory) => directory.connectors?.byIp('192.0.2.2'))
    const goBack = await moment()
    await registry.tenants.set('contoso', { mode: 'monitor', limits: '5/1h' })
    await registry.domains.add('contoso', [plain('new.example')], 'test')
    await registry.domains.remove('contoso', ['old.example'])
    await registry.connectors.remove('contoso', 'gone')
    await new ConnectorRegistry(admin).block('contoso', 'mx', BY)
    const isKnown = (directory: Directory): boolean => {
      const tenant = directory.peek('contoso')
      return (
        tenant?.mode === 'monitor' &&
        tenant.domains.has('new.example') &&
        !tenant.domains.has('old.example') &&
        directory.connectors?.byIp('192.0.2.2') === undefined &&
        directory.connectors?.byIp('192.0.2.1')?.blocked !== undefined
      )
    }
    await all(isKnown)
    await goBack()
    await waitFor(async () => Object.keys(await lost()).length === 6)
    const { 'contoso/mx connector': mx, 'contoso/gone connector': gone, ...rest } = await lost()
    assert.deepEqual(rest, {
      'contoso domain new.example': 'null → -',
      'contoso domain old.example': '- → null',
      'contoso mode': 'null → monitor',
      'contoso limits': 'null → 5/1h',
    })
    assert.match(mx!, /→ .*"blocked":\{"by":"anna"/)
    assert.match(gone!, /→ null$/)
    await all(isKnown)
    for (const { directory } of processes) {
      assert.ok(directory.hasLost('contoso'))
      assert.equal(await directory.askOwner('new.example'), 'contoso')
      assert.equal(await directory.askOwner('old.example'), null)
      const { domainsToken } = directory.peek('contoso')!
      assert.equal(domainsToken, await client.hget(admin.keys.tenant('contoso'), 'domains'))
    }
    // A process that starts now learns of them.
    processes.push(await start())
    await all(isKnown)

    await forgetLost(admin, await acceptContent(admin))
    await all((directory) => directory.peek('contoso')?.mode === undefined)
    await all((directory) => directory.connectors?.byIp('192.0.2.2'))
    await all((directory) => directory.peek('contoso')?.domains.has('old.example'))
    assert.equal(await readLost(admin), undefined)
  })

  it('give way to what is written afterwards', async () => {
    const goBack = await moment()
    await registry.domains.add('contoso', [plain('a.example'), plain('b.example')], 'test')
    await registry.tenants.set('contoso', { mode: 'off' })
    await all((directory) => directory.peek('contoso')?.mode === 'off')
    await all((directory) => directory.peek('contoso')?.domains.has('b.example'))
    await goBack()
    await all((directory) => directory.hasLost('contoso'))
    await registry.tenants.set('contoso', { mode: 'monitor' })
    await all((directory) => directory.peek('contoso')?.mode === 'monitor')
    await registry.domains.add(
      'contoso',
      [{ ...plain('a.example'), subdomains: true }, plain('c.example')],
      'test',
    )
    await registry.domains.remove('contoso', ['a.example'])
    await all((directory) => {
      const domains = directory.peek('contoso')?.domains
      return domains?.has('c.example') && domains.has('b.example') && !domains.has('a.example')
    })
  })

  it('of owners give way to what is written afterwards, too', async () => {
    const goBack = await moment()
    await registry.domains.add('contoso', [plain('held.example'), plain('moves.example')], 'test')
    await all((directory) => directory.peek('contoso')?.domains.has('moves.example'))
    for (const { directory } of processes) {
      assert.equal(await directory.askOwner('held.example'), 'contoso')
      assert.equal(await directory.askOwner('moves.example'), 'contoso')
    }
    await goBack()
    await waitFor(async () =>
      (await readLost(admin))?.lost.some(({ subject }) => subject === OWNERS),
    )
    await registry.domains.add('fabrikam', [plain('moves.example')], 'test')
    for (const { directory } of processes) {
      await waitFor(async () => (await directory.askOwner('moves.example')) === 'fabrikam')
      await waitFor(() => !directory.peek('contoso')?.domains.has('moves.example'))
      assert.ok(directory.peek('contoso')?.domains.has('held.example'))
      assert.equal(
        directory.ownerOf('held.example') ?? (await directory.askOwner('held.example')),
        'contoso',
      )
    }
  })

  it('bring back no tenant that was removed, and keep one that was added', async () => {
    const goBack = await moment()
    await removeTenant(admin, 'contoso')
    await registry.tenants.add('new', { mode: 'monitor' }, 'test')
    await registry.domains.add('new', [plain('new.example')], 'test')
    for (const { directory } of processes) await directory.load('new')
    await all((directory) => directory.peek('contoso') === undefined)
    await all((directory) => directory.connectors?.size === 0)
    await goBack()
    await waitFor(async () => (await lost())['contoso tenant'])
    await waitFor(async () => (await lost())['new tenant'])
    for (const { directory } of processes) {
      assert.equal(await directory.load('contoso'), undefined)
      assert.equal(directory.connectors?.size, 0)
      const added = await directory.load('new')
      assert.equal(added?.mode, 'monitor')
      assert.ok(added?.domains.has('new.example'))
    }
  })

  it('of a tenant that no process has cached are known from their announcement', async () => {
    const goBack = await moment()
    await registry.tenants.set('fabrikam', { mode: 'off', limits: '7/1h' })
    await registry.domains.add('fabrikam', [plain('new.example')], 'test')
    await registry.domains.remove('fabrikam', ['fabrikam.example'])
    await registry.tenants.add('new', { mode: 'monitor' }, 'test')
    await registry.domains.add('new', [plain('added.example')], 'test')
    await heard()
    await goBack()
    await waitFor(async () => Object.keys(await lost()).length === 10)
    const { 'new tenant': created, ...rest } = await lost()
    assert.match(created!, /^null → \d+$/)
    assert.deepEqual(rest, {
      'fabrikam mode': 'null → off',
      'fabrikam limits': 'null → 7/1h',
      'fabrikam domain new.example': 'null → -',
      'fabrikam domain fabrikam.example': '- → null',
      'new mode': 'null → monitor',
      'new name': 'null → new',
      'new source': 'null → test',
      'new domain added.example': 'null → -',
      'contoso mode': 'null → off',
    })
    assert.deepEqual((await readLost(admin))?.missing, [])
  })

  it('are no longer known from an announcement once a later one was missed', async () => {
    const { keys } = admin
    await registry.domains.add('fabrikam', [plain('a.example')], 'test')
    await heard()
    // Nobody announces that it is removed again.
    await client.hdel(keys.domains('fabrikam'), 'a.example')
    await client.hset(keys.tenant('fabrikam'), 'domains', laterToken())
    const goBack = await moment()
    const token = laterToken()
    await client.hset(keys.tenant('fabrikam'), 'domains', token)
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await waitFor(() =>
      processes.every(({ directory }) => {
        const announced = directory['announcements'].of('fabrikam')
        return announced?.domains.mark === markOf(token)
      }),
    )
    await goBack()
    await waitFor(async () => (await readLost(admin))?.missing.length === 1)
    for (const { directory } of processes) {
      assert.ok(!(await directory.load('fabrikam'))?.domains.has('a.example'))
    }
  })

  it('are not missing where an earlier version has not said what they are about', async () => {
    const { keys } = admin
    for (const field of ['state', 'domains', 'state']) {
      const token = laterToken()
      await client.hset(keys.tenant('fabrikam'), field, token)
      await client.publish(keys.changes, JSON.stringify({ tenant: 'fabrikam', token }))
    }
    await heard()
    // What a process has found is reported before this.
    for (const [at, { directory }] of processes.entries()) {
      await directory.load('fabrikam')
      directory['lossReports'].add({ kind: 'missing', subject: `last-${at}`, known: 2, found: 1 })
    }
    await waitFor(async () => {
      const subjects = (await readLost(admin))?.missing.map(({ subject }) => subject) ?? []
      assert.ok(!subjects.includes('fabrikam'))
      return subjects.length === processes.length
    })
  })

  it('that no process knows are reported as missing', async () => {
    const goBack = await moment()
    const { keys } = admin
    const token = laterToken()
    await client.hset(keys.tenant('fabrikam'), { mode: 'off', state: token })
    // As a version before this one announces it.
    await client.publish(keys.changes, JSON.stringify({ tenant: 'fabrikam', token }))
    await heard()
    await goBack()
    await waitFor(async () => (await readLost(admin))?.missing.length === 1)
    assert.equal((await readLost(admin))?.missing[0]?.subject, 'fabrikam')
  })
})
