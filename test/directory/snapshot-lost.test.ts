import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { waitFor } from '../../scripts/services/wait-for'
import { Restrictions } from '../../src/allowance/restriction'
import { Directory } from '../../src/directory/directory'
import { openSnapshotFile } from '../../src/directory/snapshot-file'
import { SnapshotWriter } from '../../src/directory/snapshot-writer'
import { acceptContent, ensureEpoch } from '../../src/registry/epoch'
import { forgetLost, readLost } from '../../src/registry/lost-changes'
import { verifyFile } from '../../src/registry-file/read-file'
import { writeLines } from '../../src/registry-file/write-file'
import { removeTenant } from '../../src/registry/tenant-removal'
import { connect, connectSubscriber } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store, type Client } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'
import { Registries } from '../support/registries'

const BY = { by: 'ann', reason: 'abuse' }
const INTERVAL = 10

let redis: TestRedis
let client: Client
let admin: Store
let registry: Registries
let restrictions: Restrictions
let file: string
let running: Lead | undefined

/** The lead worker of a Haraka. */
interface Lead {
  readonly directory: Directory
  readonly writer: SnapshotWriter
  readonly store: Store
  readonly errors: string[]
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
  file = path.join(scratchDir('snapshot'), 'snapshot')
  await ensureEpoch(admin)
  for (const id of ['contoso', 'fabrikam']) {
    await registry.tenants.add(id, {}, 'test')
    await registry.domains.add(id, [plain(`${id}.example`)], 'test')
    await registry.connectors.add(id, 'mx', { auth: [id] }, 'test')
  }
})
afterEach(() => stop())

/** A lead worker starts, and tenants send mail. */
async function start(...used: string[]): Promise<Lead> {
  const lead = await begin()
  for (const tenant of used) await lead.directory.load(tenant)
  lead.writer.start()
  return lead
}

/** @param isAway it has read all of the file before Redis has answered. */
async function begin(isAway = false): Promise<Lead> {
  const settings = settingsFor(redis)
  const store = new Store(
    connect(settings, () => {}),
    new Keys('ud:'),
  )
  const errors: string[] = []
  const directory = new Directory(store, {
    onReady() {},
    onRestriction() {},
    onError: (message) => errors.push(message),
  })
  // As every process does: see WarmStart.
  const snapshot = await openSnapshotFile(file, 'ud:')
  if (snapshot) directory.registry.remember(snapshot)
  if (isAway) directory.remember((await snapshot!.read())!)
  else await snapshot?.close()
  directory.follow(connectSubscriber(settings, store.client, () => {}))
  await waitFor(() => directory.connectorsAreRead)
  const onError = (message: string): void => void errors.push(message)
  const writer = new SnapshotWriter(store, directory, file, onError, INTERVAL)
  running = { directory, writer, store, errors }
  return running
}

/** Haraka stops. */
function stop(): void {
  running?.writer.stop()
  running?.directory.stop()
  running?.store.client.disconnect()
  running = undefined
}

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

function plain(domain: string) {
  return { domain, subdomains: false, shared: false }
}

/** The file once it holds this text, or no longer does. */
function written(text: string, holds = true): Promise<string> {
  return waitFor(
    () => {
      const content = existsSync(file) ? readFileSync(file, 'utf8') : ''
      return content !== '' && content.includes(text) === holds && content
    },
    { what: `${holds ? '' : 'no '}${text} in the file` },
  )
}

/** `tenant what: was → is` of all that is reported as lost. */
async function lost(): Promise<string[]> {
  const report = await readLost(admin)
  const all = (report?.lost ?? []).flatMap(({ subject, changes }) =>
    changes.map(({ what, was, is }) => `${subject} ${what}: ${was} → ${is}`),
  )
  return all.sort()
}

/** The file as a version writes it that does not compare it. */
async function rewriteAsEarlier(): Promise<void> {
  const { header } = await verifyFile(file)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(1, -1)
  await writeLines(file, { ...header, changed: undefined }, lines)
}

describe('the snapshot file of a process that sees Redis go back in time', () => {
  it('keeps the tenants with lost changes, and follows all others, until it is resolved', async () => {
    await start('contoso', 'fabrikam')
    const goBack = await moment()
    await registry.domains.add('contoso', [plain('added.example')], 'test')
    await written('added.example')
    await goBack()
    await waitFor(async () => (await lost()).length > 0)
    await registry.tenants.set('fabrikam', { name: 'Another' })
    assert.match(await written('Another'), /added\.example/)
    await registry.tenants.set('contoso', { name: 'Contoso Ltd' })
    await registry.tenants.set('fabrikam', { name: 'Third' })
    assert.match(await written('Third'), /added\.example/)

    await forgetLost(admin, await acceptContent(admin))
    assert.match(await written('added.example', false), /Contoso Ltd/)
    assert.deepEqual(running!.errors, [])
  })

  it('says that a tenant with lost changes was restricted meanwhile, and no longer once that is lifted', async () => {
    await start('contoso')
    const goBack = await moment()
    await registry.domains.add('contoso', [plain('added.example')], 'test')
    await written('added.example')
    await goBack()
    await waitFor(() => running!.directory.hasLost('contoso'))
    await restrictions.place('contoso', { ...BY, scope: 'all' })
    assert.match(await written('"scope":"all"'), /added\.example/)
    await restrictions.lift('contoso', { ...BY, keepUsage: false })
    assert.match(await written('"scope":"all"', false), /added\.example/)
  })

  it('keeps a restriction that Redis has lost', async () => {
    await start('contoso')
    const goBack = await moment()
    await restrictions.place('contoso', { ...BY, scope: 'all' })
    await written('"scope":"all"')
    await goBack()
    await waitFor(() => client.exists(admin.keys.restriction('contoso')))
    await registry.tenants.set('contoso', { name: 'Another' })
    assert.match(await written('Another'), /"scope":"all"/)
  })
})

describe('a Redis that has gone back in time while Haraka was down', () => {
  /** What happens after a moment to which Redis goes back, and that the snapshot file holds. */
  async function lose(what: () => Promise<unknown>, text: string, holds = true): Promise<void> {
    await start('contoso')
    await written('contoso')
    const goBack = await moment()
    await what()
    await running!.directory.load('contoso')
    await written(text, holds)
    stop()
    await goBack()
  }

  it('gets reported what the snapshot file knows, which stays in effect and in the file', async () => {
    await lose(async () => {
      await registry.domains.add('contoso', [plain('added.example')], 'test')
      await registry.domains.remove('contoso', ['contoso.example'])
      await registry.tenants.set('contoso', { mode: 'off' })
    }, '"mode":"off"')
    const { directory, errors } = await start()
    await waitFor(async () => (await lost()).length === 3)
    assert.deepEqual(await lost(), [
      'contoso domain added.example: null → -',
      'contoso domain contoso.example: - → null',
      'contoso mode: null → off',
    ])
    const contoso = await directory.load('contoso')
    assert.equal(contoso?.mode, 'off')
    assert.deepEqual([...contoso.domains.keys()], ['added.example'])
    assert.equal(await directory.askOwner('added.example'), 'contoso')
    await registry.tenants.set('fabrikam', { name: 'Another' })
    await directory.load('fabrikam')
    assert.match(await written('Another'), /added\.example/)
    assert.deepEqual(errors, [])
  })

  it('gets restrictions back that the file knows, in full', async () => {
    await registry.tenants.add('northwind', {}, 'test')
    await restrictions.place('northwind', { ...BY, scope: 'unregistered' })
    const all = ['contoso', 'fabrikam', 'northwind']
    const areAllInFile = (): boolean =>
      readFileSync(file, 'utf8').split('"scope":"all"').length === 4
    await lose(async () => {
      for (const id of all) await restrictions.place(id, { ...BY, scope: 'all' })
      await waitFor(areAllInFile)
    }, 'northwind')
    // A command, since then: Redis no longer looks older.
    await registry.tenants.set('fabrikam', { name: 'Another' })
    await start('contoso')
    const scopes = (): Promise<(string | null)[]> =>
      Promise.all(all.map((id) => client.hget(admin.keys.restriction(id), 'scope')))
    await waitFor(async () => (await scopes()).every((scope) => scope === 'all'))
    assert.deepEqual(await lost(), [])
    await waitFor(areAllInFile)
  })

  it('gets a lift back that the file knows, with its probation', async () => {
    await restrictions.place('contoso', { ...BY, scope: 'unregistered' })
    const probation = { limits: '50/1h', duration: 86_400_000 }
    const lift = { by: 'bob', reason: 'cleaned', keepUsage: false, probation }
    await lose(() => restrictions.lift('contoso', lift), 'cleaned')
    assert.equal(await client.hget(admin.keys.restriction('contoso'), 'case'), 'contoso:1')
    const { directory } = await start('contoso')
    await waitFor(async () => (await client.exists(admin.keys.restriction('contoso'))) === 0)
    await waitFor(() => directory.look('contoso')?.restricted === undefined)
    const [lifted, onProbation] = await client.hmget(
      admin.keys.tenant('contoso'),
      'lifted',
      'probation',
    )
    assert.match(lifted!, /\tbob\tcleaned$/)
    assert.match(onProbation!, /\t50\/1h\tcontoso:1$/)
    assert.match(await written('cleaned'), /contoso/)
  })

  it('does not get a restriction back that a person has lifted since', async () => {
    await start('contoso')
    await restrictions.place('contoso', { ...BY, scope: 'all' })
    await written('"scope":"all"')
    stop()
    await restrictions.lift('contoso', { ...BY, keepUsage: false })
    const { directory } = await start('contoso')
    await written('"scope":"all"', false)
    assert.equal(directory.look('contoso')?.restricted, undefined)
    assert.equal(await readLost(admin), undefined)
  })

  it('has the connectors in effect that the file knows: a blocked one stays blocked', async () => {
    await lose(
      () => registry.connectors.block('contoso', 'mx', { ...BY, reason: 'stolen' }),
      'stolen',
    )
    const { directory } = await start()
    await waitFor(() => directory.connectors?.byAuth('contoso')?.blocked)
    await waitFor(async () => (await lost()).length === 1)
    assert.match((await lost())[0]!, /^contoso\/mx connector: .* → .*stolen/)
  })

  it('has a tenant in effect that it has lost altogether', async () => {
    await start('contoso')
    await written('contoso')
    const goBack = await moment()
    await registry.tenants.add('northwind', {}, 'test')
    await registry.domains.add('northwind', [plain('northwind.example')], 'test')
    await running!.directory.load('northwind')
    await written('northwind.example')
    stop()
    await goBack()
    const { directory } = await start()
    await waitFor(() => directory.look('northwind')?.domains.has('northwind.example'))
    await waitFor(async () => (await lost()).some((each) => each.startsWith('northwind tenant')))
    assert.match(await written('contoso'), /northwind\.example/)
  })

  it('is told nothing of what an operator has accepted', async () => {
    await lose(() => registry.tenants.set('contoso', { mode: 'off' }), '"mode":"off"')
    await acceptContent(admin)
    const { directory } = await start('contoso')
    await written('"mode":"off"', false)
    assert.equal(directory.look('contoso')?.mode, undefined)
    assert.equal(await readLost(admin), undefined)
  })
})

describe('a Redis that comes back with older data after Haraka has started without it', () => {
  it('gets reported what the snapshot file knows, which stays in effect and in the file', async () => {
    await start('contoso')
    await written('contoso')
    const goBack = await moment()
    await registry.connectors.block('contoso', 'mx', BY)
    await restrictions.place('contoso', { ...BY, scope: 'all' })
    await registry.tenants.set('contoso', { mode: 'off' })
    await written('"mode":"off"')
    stop()
    await goBack()
    const { directory, writer, errors } = await begin(true)
    writer.start()
    await waitFor(() => client.exists(admin.keys.restriction('contoso')))
    await waitFor(async () => (await lost()).length === 2)
    assert.match((await lost()).join(), /^contoso mode: null → off,contoso\/mx connector: /)
    assert.equal(directory.look('contoso')?.mode, 'off')
    assert.ok(directory.connectors?.byAuth('contoso')?.blocked)
    await registry.tenants.set('fabrikam', { name: 'Another' })
    await directory.load('fabrikam')
    const content = await written('Another')
    for (const kept of ['"mode":"off"', '"scope":"all"', '\\"reason\\":\\"abuse\\"']) {
      assert.ok(content.includes(kept), kept)
    }
    assert.deepEqual(errors, [])
  })
})

describe('a snapshot file that is compared with Redis at the start', () => {
  it('brings nothing into memory where Redis is up to date, and reports nothing', async () => {
    await start('contoso', 'fabrikam')
    await written('fabrikam.example')
    stop()
    await registry.tenants.set('contoso', { mode: 'off' })
    await removeTenant(admin, 'fabrikam')
    const { directory, errors } = await start()
    await written('fabrikam.example', false)
    assert.deepEqual(directory.knownTenants(), [])
    assert.equal(await readLost(admin), undefined)
    assert.deepEqual(errors, [])
  })

  it('is replaced where it is damaged, and nothing of it is used', async () => {
    await start('contoso')
    await registry.tenants.set('contoso', { mode: 'off' })
    await written('"mode":"off"')
    stop()
    const content = readFileSync(file, 'utf8')
    const later = '9764000000000000-x'
    const state = await client.hget(admin.keys.tenant('contoso'), 'state')
    writeFileSync(file, content.replace(state!, later))
    await start('contoso')
    await written(later, false)
    assert.equal(await readLost(admin), undefined)
    assert.deepEqual(running!.errors, [])
  })

  it('tells of tenants where an earlier version wrote it, which does not say when connectors changed', async () => {
    await start('contoso')
    const goBack = await moment()
    await registry.connectors.block('contoso', 'mx', BY)
    await registry.tenants.set('contoso', { mode: 'off' })
    await written('"mode":"off"')
    stop()
    await rewriteAsEarlier()
    await goBack()
    await start()
    await waitFor(async () => (await lost()).length > 0)
    await written('abuse', false)
    assert.deepEqual(await lost(), ['contoso mode: null → off'])
    assert.deepEqual(running!.errors, [])
  })
})
