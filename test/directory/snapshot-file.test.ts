import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { scratchDir } from '../../scripts/services/scratch'
import { waitFor } from '../../scripts/services/wait-for'
import { openRecords, verifyFile } from '../../src/registry-file/read-file'
import { InputError } from '../../src/base/errors'
import { Restrictions } from '../../src/allowance/restriction'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Directory, type Remembered } from '../../src/directory/directory'
import { ensureEpoch } from '../../src/registry/epoch'
import { Registries } from '../support/registries'
import { openSnapshotFile } from '../../src/directory/snapshot-file'
import { SnapshotWriter } from '../../src/directory/snapshot-writer'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'

const INTERVAL = 10

let redis: TestRedis
let client: Redis
let admin: Store
let registry: Registries
let restrictions: Restrictions
let store: Store
let directory: Directory
let writer: SnapshotWriter | undefined
let file: string
let errors: string[]

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
  errors = []
  file = path.join(scratchDir('snapshot'), 'snapshot')
  await ensureEpoch(admin)
  for (const id of ['contoso', 'fabrikam', 'northwind']) await register(id)
  store = new Store(
    connect(settingsFor(redis), () => {}),
    new Keys('ud:'),
  )
  directory = new Directory(store, {
    onReady() {},
    onRestriction() {},
    onError: (message) => errors.push(message),
  })
  directory.follow(connect(settingsFor(redis), () => {}))
  await waitFor(() => directory.connectors)
})
afterEach(() => {
  writer?.stop()
  writer = undefined
  directory.stop()
  store.client.disconnect()
})

async function register(id: string): Promise<void> {
  await registry.tenants.add(id, { mode: 'monitor' }, 'test')
  const domains = [
    { domain: `${id}.example`, subdomains: true, shared: false },
    { domain: `${id}.shared.example`, subdomains: false, shared: true },
  ]
  await registry.domains.add(id, domains, 'test')
  await registry.connectors.add(id, 'mx', { auth: [id] }, 'test')
}

function write(bounds?: { tenants: number; domains: number }): void {
  writer?.stop()
  const onError = (message: string): void => void errors.push(message)
  writer = new SnapshotWriter(store, directory, file, onError, INTERVAL, bounds)
  writer.start()
}

/** Reads such a file as a process does that starts without Redis. */
async function readSnapshotFile(name: string, prefix: string): Promise<Remembered | undefined> {
  return (await openSnapshotFile(name, prefix))?.read()
}

/** The tenants in the file, in order, once `fits` says that they are those. */
async function written(fits: (ids: string[]) => boolean): Promise<string[]> {
  return waitFor(async () => {
    const ids = existsSync(file) ? await tenantsIn() : []
    return fits(ids) && ids
  })
}

async function tenantsIn(): Promise<string[]> {
  const opened = await openRecords(file)
  const ids: string[] = []
  for await (const record of opened.records()) if (record.type === 'tenant') ids.push(record.id)
  await opened.close()
  return ids
}

describe('a snapshot file', () => {
  it('gives another process what this one knew', async () => {
    await directory.load('contoso')
    await restrictions.place('fabrikam', { scope: 'all', by: 'ann', reason: 'abuse' })
    write()
    await written((ids) => ids.length === 2)
    assert.equal(statSync(file).mode & 0o777, 0o600)

    const remembered = (await readSnapshotFile(file, 'ud:'))!
    const { epoch, seenAt } = directory.registry
    assert.deepEqual([remembered.epoch, remembered.seenAt], [epoch, seenAt])
    const [fabrikam, contoso] = remembered.tenants
    assert.deepEqual(contoso, directory.look('contoso'))
    assert.equal(fabrikam?.restricted, 'all')
    assert.equal(fabrikam?.restrictedBy, 'ann')
    assert.deepEqual(
      [...remembered.connectors!.all()].sort((a, b) => a.tenant.localeCompare(b.tenant)),
      await registry.connectors.list(),
    )
  })

  it('knows the owners of the domains in it, and of no others', async () => {
    await directory.load('contoso')
    write()
    await written((ids) => ids.length === 1)
    const { ownerOf } = (await readSnapshotFile(file, 'ud:'))!
    assert.equal(ownerOf!('contoso.example'), 'contoso')
    assert.equal(ownerOf!('below.contoso.example'), 'contoso')
    // Shared ones belong to nobody, and of others nothing is known.
    assert.equal(ownerOf!('contoso.shared.example'), undefined)
    assert.equal(ownerOf!('northwind.example'), undefined)
  })

  it('holds the restricted first, then those that were asked for last, up to its bounds', async () => {
    await restrictions.place('northwind', { scope: 'all', by: 'ann', reason: 'abuse' })
    // Else it may read a tenant again after the last use of another.
    await directory['readEverything']()
    await directory.load('contoso')
    await directory.load('fabrikam')
    directory.peek('contoso')
    write()
    assert.deepEqual(await written((ids) => ids.length === 3), ['northwind', 'contoso', 'fabrikam'])
    assert.equal((await verifyFile(file)).header.omitted, 0)
    write({ tenants: 2, domains: 100 })
    assert.deepEqual(await written((ids) => ids.length === 2), ['northwind', 'contoso'])
    assert.equal((await verifyFile(file)).header.omitted, 1)
  })

  it('passes over a tenant whose domains have no room left, and not the others', async () => {
    const names = Array.from({ length: 50 }, (_, at) => `n${at}.example`)
    const entries = names.map((domain) => ({ domain, subdomains: false, shared: false }))
    await registry.domains.add('fabrikam', entries, 'test')
    await directory.load('contoso')
    await directory.load('fabrikam')
    write({ tenants: 10, domains: 10 })
    assert.deepEqual(await written((ids) => ids.length > 0), ['contoso'])
    assert.equal((await verifyFile(file)).header.omitted, 2)
  })

  it('is written when something changes, and of tenants only what has changed is read', async () => {
    await directory.load('contoso')
    await directory.load('fabrikam')
    write()
    await written((ids) => ids.length === 2)
    await redis.resetCommandStats()
    const { ino } = statSync(file)
    await registry.tenants.set('fabrikam', { name: 'Another' })
    await waitFor(() => readFileSync(file, 'utf8').includes('Another'))
    // Of the lists of domains that of fabrikam, once.
    assert.equal((await redis.commandStats())['hlen'], 1)
    assert.notEqual(statSync(file).ino, ino)
  })

  it('does not make a long list that keeps changing be read each time', async () => {
    const names = Array.from({ length: 1001 }, (_, at) => `n${at}.example`)
    const entries = names.map((domain) => ({ domain, subdomains: false, shared: false }))
    await registry.domains.add('fabrikam', entries, 'test')
    await directory.load('contoso')
    await directory.load('fabrikam')
    write()
    await written((ids) => ids.length === 2)
    await redis.resetCommandStats()
    const added = { domain: 'added.example', subdomains: false, shared: false }
    await registry.domains.add('fabrikam', [added], 'test')
    await registry.tenants.set('contoso', { name: 'Another' })
    await waitFor(() => readFileSync(file, 'utf8').includes('Another'))
    assert.equal((await redis.commandStats())['hscan'], undefined)
    // Its restriction does not wait.
    await restrictions.place('fabrikam', { scope: 'all', by: 'ann', reason: 'abuse' })
    await waitFor(() => readFileSync(file, 'utf8').includes('"scope":"all"'))
    assert.match(readFileSync(file, 'utf8'), /added\.example/)
  })

  it('is left as it is while Redis is away or has lost the registry', async () => {
    await directory.load('contoso')
    write()
    await written((ids) => ids.length === 1)
    const before = readFileSync(file, 'utf8')
    await client.flushall()
    directory.refresh('contoso')
    await waitFor(() => directory.registry.state === 'lost')
    directory.news++
    await client.ping()
    assert.equal(readFileSync(file, 'utf8'), before)
  })

  it('is left as it is where all is lost while it is being read', async () => {
    await directory.load('contoso')
    write()
    await written((ids) => ids.length === 1)
    writer!.stop()
    const before = readFileSync(file, 'utf8')
    const losing = Object.create(directory, {
      knownTenants: {
        value: () => {
          // Over the writer's own connection: behind its first question, and before what it reads.
          void store.client.flushall()
          return directory.knownTenants()
        },
      },
    }) as Directory
    writer = new SnapshotWriter(store, losing, file, (message) => errors.push(message), INTERVAL)
    writer.start()
    await waitFor(async () => (await client.dbsize()) === 0)
    await assert.rejects(directory.registry.check())
    await waitFor(() => !writer!['writing'])
    assert.equal(readFileSync(file, 'utf8'), before)
    assert.deepEqual(errors, [])
  })

  it('is read no further when nobody wants it any more', async () => {
    await directory.load('contoso')
    write()
    await written((ids) => ids.length === 1)
    let asked = 0
    const opened = (await openSnapshotFile(file, 'ud:'))!
    assert.equal(await opened.read(() => ++asked < 3), undefined)
    assert.equal(asked, 3)
  })

  it('that is not there is nothing', async () => {
    assert.equal(await readSnapshotFile(file, 'ud:'), undefined)
  })

  for (const [what, damage, complaint] of [
    ['cut short', (text: string) => text.slice(0, -40), /cut short|last line is missing/],
    [
      'with another name in it',
      (text: string) => text.replace('contoso.example', 'contosx.example'),
      /checksum does not fit/,
    ],
    ['of somebody else', () => 'hello\n', /no snapshot of/],
    [
      'of another installation',
      (text: string) => text.replace('"prefix":"ud:"', '"prefix":"xx:"'),
      /begin with "xx:", not with "ud:"/,
    ],
    [
      'that is a backup',
      (text: string) => text.replace('"snapshot"', '"backup"'),
      /not a snapshot/,
    ],
    [
      'of a later version',
      (text: string) => text.replace('"version":1', '"version":2'),
      /version 2/,
    ],
  ] as const) {
    it(`${what} is not believed`, async () => {
      await directory.load('contoso')
      write()
      await written((ids) => ids.length === 1)
      writer!.stop()
      writeFileSync(file, damage(readFileSync(file, 'utf8')))
      await assert.rejects(readSnapshotFile(file, 'ud:'), (error: unknown) => {
        assert.ok(error instanceof InputError)
        assert.match(error.message, complaint)
        return true
      })
    })
  }

  it('that cannot be written is told, and tried again only later', async () => {
    await directory.load('contoso')
    file = path.join(file, 'below')
    write()
    await waitFor(() => errors.length > 0)
    assert.match(errors[0]!, /snapshot\/below cannot be written/)
  })
})

describe('what is remembered', () => {
  it('counts until Redis answers, and no longer', async () => {
    await directory.load('contoso')
    await restrictions.place('fabrikam', { scope: 'all', by: 'ann', reason: 'abuse' })
    write()
    await written((ids) => ids.length === 2)
    writer!.stop()
    const remembered = (await readSnapshotFile(file, 'ud:'))!
    await restrictions.lift('fabrikam', { by: 'ann', reason: 'clean', keepUsage: false })
    await registry.connectors.remove('contoso', 'mx')

    const told: unknown[] = []
    const later = new Store(
      connect(settingsFor(redis), () => {}),
      new Keys('ud:'),
    )
    const started = new Directory(later, {
      onReady: () => told.push('ready'),
      onRestriction: (_before, now) => told.push(now),
      onError() {},
    })
    started.remember(remembered)
    assert.equal(started.peek('fabrikam')?.restricted, 'all')
    assert.equal(started.connectors?.byAuth('contoso')?.tenant, 'contoso')
    assert.equal(started.connectors?.byAuth('Contoso\u00a0')?.tenant, 'contoso')
    assert.deepEqual(told, [])
    assert.equal(await started.askOwner('contoso.example').catch(() => 'away'), 'contoso')

    started.follow(connect(settingsFor(redis), () => {}))
    await waitFor(() => told.length > 0)
    assert.equal(started.connectors?.byAuth('contoso'), undefined)
    await waitFor(() => started.peek('fabrikam')?.restricted === undefined)
    // That it was lifted is old news.
    assert.deepEqual(told, ['ready'])
    started.stop()
    later.client.disconnect()
  })
})
