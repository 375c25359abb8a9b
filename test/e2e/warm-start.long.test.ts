import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Redis } from 'ioredis'
import {
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type StartHarakaOptions,
  type TestHaraka,
  type TestRedis,
  type TestTenant,
} from '../support'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { confirmEpoch } from '../../src/registry/epoch'
import { REPLY } from '../support/replies'

const UNREGISTERED = 'x@stolen.example'
const RECIPIENT = 'a@far.example'
/** A Redis that loses no answered write when it is killed. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']
const AWAY = { ready: false }
/** They mostly wait for the file to be written, each on separate servers. */
const AT_ONCE = { concurrency: 3 }

describe('A Haraka that starts without Redis', AT_ONCE, () => {
  for (const nodes of [0, 2]) {
    it(`serves the tenants of the previous process until it reaches Redis, with nodes=${nodes}`, async (t) => {
      const site = await siteOf(t, { nodes, users: { 'carol@contoso.example': 'secret' } })
      const { redis, haraka, contoso, fabrikam } = site
      assert.equal(statSync(fileOf(haraka)).mode & 0o777, 0o600)
      await redis.kill()
      await restartAway(site)
      assert.match(haraka.log, /remembered.*tenants=2.*connectors=2/)

      assert.equal(await reply(contoso, UNREGISTERED), REPLY.undecidable)
      assert.equal(await reply(contoso, ''), REPLY.undecidable)
      assert.equal(await reply(fabrikam, UNREGISTERED), REPLY.blocked)
      // It may be a new connector that had not reached the previous process.
      const stranger = {
        from: UNREGISTERED,
        to: RECIPIENT,
        session: { localAddress: '127.78.0.2' },
      }
      assert.equal((await haraka.send(stranger)).last.raw, REPLY.undecidable)
      await delivers(contoso, 'a@contoso.example')
      await delivers(fabrikam, 'a@fabrikam.example')
      const carol = {
        auth: { user: 'carol@contoso.example', password: 'secret' },
        localAddress: '127.78.0.1',
      }
      const byUser = { from: 'a@contoso.example', to: RECIPIENT, session: carol }
      assert.equal((await haraka.send(byUser)).delivered, true)
      assert.deepEqual(haraka.sink.messages().at(-1)?.note, {
        tenant: 'contoso',
        connector: null,
        class: 'registered',
      })
      assert.doesNotMatch(haraka.log, /\bready\b/)

      await redis.restart()
      await site.relay.lift('fabrikam')
      await waitFor(async () => (await reply(fabrikam, UNREGISTERED)).startsWith('250'))
      await waitFor(() => (haraka.log.match(/\] ready/g) ?? []).length === Math.max(1, nodes))
      assert.equal(await fabrikam.used(), 1)
      assert.equal((await haraka.send(stranger)).delivered, true)
      unharmed(haraka)
    })
  }
})

describe('The snapshot file', AT_ONCE, () => {
  it('follows changes and trips', async (t) => {
    const site = await siteOf(t)
    const { relay, haraka, redis } = site
    const northwind = await relay.tenant('northwind', { limits: '0/1h' })
    await waitFor(() => snapshotOf(haraka).includes('"northwind"'))
    const tripping = await relay.tenant('tripping', { limits: '1/1h' })
    const to = [RECIPIENT, 'b@far.example']
    assert.equal((await tripping.send({ from: UNREGISTERED, to })).rcpts[1]?.raw, REPLY.blocked)
    await relay.registry.domains.add(
      'northwind',
      [{ domain: 'new.example', subdomains: true, shared: false }],
      'test',
    )
    await waitFor(() => snapshotOf(haraka).includes('allowance of 1/1h exceeded'))
    await waitFor(() => snapshotOf(haraka).includes('"new.example"'))
    await redis.kill()
    await restartAway(site)
    assert.equal(await reply(tripping, UNREGISTERED), REPLY.blocked)
    await delivers(northwind, 'x@below.new.example')
  })

  it('has restricted tenants that no process has in its cache', async (t) => {
    const site = await siteOf(t)
    const { relay, haraka, redis } = site
    const { session } = await relay.tenant('quiet')
    await relay.restrictions.place('quiet', { scope: 'all', by: 'test', reason: 'abuse' })
    await waitFor(() => snapshotOf(haraka).includes('"scope":"all"'))
    await redis.kill()
    await restartAway(site)
    const mail = { from: 'a@quiet.example', to: RECIPIENT, session }
    assert.equal((await haraka.send(mail)).mail.raw, REPLY.blockedAll)
  })

  it('is written by one worker, and by another after that one is killed', async (t) => {
    const { relay, haraka } = await siteOf(t, { nodes: 2 })
    const file = fileOf(haraka)
    // The first one is logged first.
    const [first] = readFileSync(`/proc/${haraka.pid}/task/${haraka.pid}/children`, 'utf8').split(
      ' ',
    )
    process.kill(Number(first), 'SIGKILL')
    const inode = statSync(file).ino
    await relay.registry.tenants.set('contoso', { name: 'Another name' })
    await waitFor(() => snapshotOf(haraka).includes('Another name'))
    assert.notEqual(statSync(file).ino, inode)
    await relay.registry.tenants.set('contoso', { name: 'A third name' })
    await waitFor(() => snapshotOf(haraka).includes('A third name'))
  })

  it('is ignored with a warning if damaged, and replaced when Redis is back', async (t) => {
    const { redis, haraka, contoso } = await siteOf(t)
    await redis.kill()
    haraka.signal('SIGKILL')
    truncateSync(fileOf(haraka), 300)
    await haraka.restart(AWAY)
    await haraka.waitForLog(/\[WARN\].*snapshot file is ignored.*is cut short/)
    assert.equal(await reply(contoso, 'a@contoso.example'), REPLY.undecidable)
    await redis.restart()
    await waitFor(async () => (await reply(contoso, 'a@contoso.example')).startsWith('250'))
    await waitFor(() => snapshotOf(haraka).includes('"type":"end"'))
    unharmed(haraka)
  })

  it('causes only one warning if it cannot be written', async (t) => {
    const redis = await redisFor(t)
    const haraka = await startHaraka({
      redis,
      // A file is not a directory, not even for root.
      settings: { outage: { snapshot: 'config/me/snapshot' } },
    })
    t.after(() => haraka.stop())
    const contoso = await new TestRelay(redis, [haraka]).tenant('contoso')
    await haraka.waitForLog(/\[WARN\].*no snapshot was written.*config\/me\/snapshot/)
    await delivers(contoso, 'a@contoso.example')
    await delivers(contoso, UNREGISTERED)
    assert.equal(haraka.log.match(/no snapshot was written/g)?.length, 1)
    unharmed(haraka)
  })

  it('is not written where [outage] snapshot is empty', async (t) => {
    const redis = await redisFor(t)
    const haraka = await startHaraka({ redis, settings: { outage: { snapshot: '' } } })
    t.after(() => haraka.stop())
    const contoso = await new TestRelay(redis, [haraka]).tenant('contoso')
    await redis.kill()
    await haraka.restart(AWAY)
    assert.equal(await reply(contoso, 'a@contoso.example'), REPLY.undecidable)
    assert.equal(existsSync(fileOf(haraka)), false)
  })
})

describe('A Redis that has lost the registry', AT_ONCE, () => {
  for (const nodes of [0, 2]) {
    it(`changes nothing for cached tenants, with nodes=${nodes}`, async (t) => {
      const site = await siteOf(t, { nodes })
      const { redis, haraka, contoso, fabrikam } = site
      const client = redis.client()
      const processes = Math.max(1, nodes)
      const warnings = (): number => haraka.log.match(/\[CRIT\].*lost the registry/g)?.length ?? 0
      const goesOn = async (): Promise<void> => {
        // A process detects it by mail, or later by itself.
        await waitFor(async () => {
          await reply(contoso, UNREGISTERED)
          return warnings() === processes
        })
        assert.equal(await reply(contoso, UNREGISTERED), REPLY.undecidable)
        await delivers(contoso, 'a@contoso.example')
        await delivers(fabrikam, 'a@fabrikam.example')
        assert.equal(await reply(fabrikam, UNREGISTERED), REPLY.blocked)
      }
      await client.flushall()
      await goesOn()
      // Nothing was written into the foreign registry.
      assert.deepEqual(await registryKeys(client), [])

      await restartAway(site)
      await goesOn()
      assert.deepEqual(await registryKeys(client), [])
      assert.equal(warnings(), processes)
      assert.doesNotMatch(haraka.log, /registry accepted/)
      await confirmEpoch(new Store(client, new Keys('ud:')))
      await haraka.waitForLog(/\[NOTICE\].*registry accepted/)
      unharmed(haraka)
    })
  }

  it('is not filled by the tenants file', async (t) => {
    const tenants = 'id: site\ntenants:\n  northwind:\n    domains: [northwind.example]\n'
    const { redis, haraka } = await siteOf(t, {
      config: { 'unregistered-domain.tenants.yaml': tenants },
    })
    await redis.client().flushall()
    await haraka.restart(AWAY)
    await haraka.waitForLog(/tenants\.yaml: not applied yet.*lost the registry/)
    assert.deepEqual(await registryKeys(redis.client()), [])
  })
})

/** All keys but those of processes, which say what they are, and that the registry is lost. */
async function registryKeys(client: Redis): Promise<string[]> {
  return (await client.keys('*')).filter((key) => !key.startsWith('ud:{@nodes}'))
}

interface Site {
  redis: TestRedis
  haraka: TestHaraka
  relay: TestRelay
  /** Has sent mail. */
  contoso: TestTenant
  /** Is restricted. */
  fabrikam: TestTenant
}

/** A relay whose snapshot file is up to date. */
async function siteOf(t: TestContext, options: StartHarakaOptions = {}): Promise<Site> {
  const redis = await redisFor(t)
  const haraka = await startHaraka({ ...options, redis })
  t.after(() => haraka.stop())
  const relay = new TestRelay(redis, [haraka])
  const contoso = await relay.tenant('contoso')
  const fabrikam = await relay.tenant('fabrikam')
  await relay.restrictions.place('fabrikam', { scope: 'unregistered', by: 'test', reason: 'abuse' })
  await waitFor(() => {
    const snapshot = snapshotOf(haraka)
    return ['"contoso.example"', '"scope":"unregistered"'].every((part) => snapshot.includes(part))
  })
  return { redis, haraka, relay, contoso, fabrikam }
}

async function redisFor(t: TestContext): Promise<TestRedis> {
  const redis = await startRedis({ args: DURABLE })
  t.after(() => redis.stop())
  return redis
}

/** Restarts it, and waits until each process has read the file, which happens after it listens. */
async function restartAway({ haraka, contoso }: Site): Promise<void> {
  await haraka.restart(AWAY)
  await haraka.attributed(contoso.session, 'contoso/mx', 'a@contoso.example')
}

function fileOf(haraka: TestHaraka): string {
  return path.join(haraka.dir, 'unregistered-domain.snapshot')
}

function snapshotOf(haraka: TestHaraka): string {
  return existsSync(fileOf(haraka)) ? readFileSync(fileOf(haraka), 'utf8') : ''
}

/** The first negative answer to a message, or the last one, as it came. */
async function reply(tenant: TestTenant, from: string): Promise<string> {
  return (await tenant.send({ from, to: RECIPIENT })).last.raw
}

async function delivers(tenant: TestTenant, from: string): Promise<void> {
  const { delivered, last } = await tenant.send({ from, to: RECIPIENT })
  assert.equal(delivered, true, `${from} of ${tenant.id}: ${String(last)}`)
}

/** No process has ended, and none of its promises went unhandled. */
function unharmed(haraka: TestHaraka): void {
  assert.equal(haraka.ended, false)
  assert.doesNotMatch(haraka.log, /exception|unhandled|internal error|TypeError/i)
}
