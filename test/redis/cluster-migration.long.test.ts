import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  startRedisCluster,
  type SlotMigration,
  type TestCluster,
} from '../../scripts/services/redis-cluster'
import { waitFor } from '../../scripts/services/wait-for'
import { applyTenantsFile } from '../../src/tenants-file/apply'
import { parseTenantsFile } from '../../src/tenants-file/parse'
import { ChargeLoad } from '../support/charge-load'
import { ClusterSite } from '../support/cluster'
import { assertConsistent } from '../support/registry'

const BY = 'test'
const LIMIT = 150
/** More than any load here uses. */
const AMPLE = '1000000/1h'

/** Slots that move from one primary to another, as in a reshard. */
describe('a Redis Cluster whose slots move', () => {
  let cluster: TestCluster
  let site: ClusterSite
  before(async () => {
    cluster = await startRedisCluster()
    site = await ClusterSite.open(cluster)
  })
  const loads: ChargeLoad[] = []
  const load = (...args: ConstructorParameters<typeof ChargeLoad>): ChargeLoad => {
    const started = new ChargeLoad(...args)
    loads.push(started)
    return started
  }
  afterEach(() => loads.splice(0).forEach((each) => each.end()))
  after(async () => {
    site?.close()
    await cluster?.stop()
  })

  const migration = (key: string): Promise<SlotMigration> => cluster.migration(key)
  const answered = (by: ChargeLoad, answer: string, more: number): Promise<unknown> => {
    const enough = by.count(answer) + more
    return waitFor(() => by.count(answer) >= enough, { timeout: 60_000 })
  }

  it('under load: each call is answered, and every accepted recipient is counted', async (t) => {
    const tenants = ['ample', 'other', 'third']
    for (const id of tenants) await site.registry.tenants.add(id, { limits: AMPLE }, BY)
    await site.registry.tenants.add('tight', { limits: `${LIMIT}/1h` }, BY)
    const ample = tenants.map((id) => load(site, id))
    await Promise.all(ample.map((each) => answered(each, 'CHARGED', 20)))
    // Its slot moves from its first recipient to its trip.
    const tight = load(site, 'tight', { refunds: false })
    for (let round = 0; round < 3; round++) {
      for (const id of [...tenants, 'tight']) {
        const step = await migration(site.store.keys.tenant(id))
        await step.begin()
        for (const most of [1, 7, 7]) await step.moveKeys(most)
        await step.finish()
      }
      await Promise.all(ample.map((each) => answered(each, 'CHARGED', 20)))
    }
    await answered(tight, 'RESTRICTED', 1)
    await Promise.all([...ample, tight].map((each) => each.stop()))

    for (const [at, each] of ample.entries()) {
      assert.equal(each.unanswered, 0)
      assert.equal(await site.used(tenants[at]!), each.accepted)
    }
    assert.equal(tight.unanswered, 0)
    assert.equal(tight.accepted, LIMIT)
    assert.equal(tight.count('TRIPPED'), 1)
    assert.equal(await site.used('tight'), LIMIT)
    assert.equal((await site.restrictions.get('tight'))?.by, 'automatic')
    const total = [...ample, tight].reduce((sum, { accepted }) => sum + accepted, 0)
    t.diagnostic(`12 slots moved, ${total} recipients accepted and counted, none unanswered`)
    assert.deepEqual(site.errors, [])
  })

  it('stopped half-way: 451 only for its tenant, and nothing lost or counted twice', async (t) => {
    const hasty = await ClusterSite.open(cluster, { commandTimeout: 300 })
    t.after(() => hasty.close())
    for (const id of ['held', 'free']) {
      await site.registry.tenants.add(id, { limits: AMPLE }, BY)
      await site.charge(id)
    }
    const { keys } = site.store
    assert.notEqual(
      await cluster.slotOf(keys.tenant('held')),
      await cluster.slotOf(keys.tenant('free')),
    )
    const held = load(hasty, 'held')
    const free = load(hasty, 'free')
    await Promise.all([held, free].map((each) => answered(each, 'CHARGED', 20)))

    const steps = await migration(keys.tenant('held'))
    const unanswered = (more: number): Promise<unknown> => {
      const enough = held.unanswered + more
      return waitFor(() => held.unanswered >= enough, { timeout: 60_000 })
    }
    await steps.begin()
    await unanswered(20)
    const before = held.count('CHARGED')
    for (let step = 0; step < 3; step++) {
      assert.ok((await steps.moveKeys(5)).length > 0)
      await unanswered(8)
      await answered(free, 'CHARGED', 20)
    }
    assert.equal(held.count('CHARGED'), before, 'a receipt in transit is on neither side')
    // Its refunds wait, and do not delay the refunds of others.
    free.end()
    await waitFor(async () => (await site.used('free')) === free.accepted + 1)
    await steps.finish()
    await answered(held, 'CHARGED', 20)
    await held.stop()
    assert.equal(await site.used('held'), held.accepted + 1)
    t.diagnostic(
      `half-way: ${held.unanswered} calls got 451; ${held.accepted} accepted, all counted`,
    )
    assert.deepEqual(hasty.errors, [])
  })

  it('meanwhile the writes of the registry are complete', async () => {
    const { keys } = site.store
    const shared = [keys.tenants, keys.ownerNames, keys.connectors, keys.restricted]
    let moving = true
    const writing = (async () => {
      for (let at = 0; moving || at < 20; at++) {
        const id = `m${at}`
        await site.registry.tenants.add(id, {}, BY)
        const domain = { domain: `m${at}.example`, subdomains: true, shared: false }
        await site.registry.domains.add(id, [domain], BY)
        await site.registry.connectors.add(id, 'mx', { auth: [id] }, BY)
        await site.restrictions.place(id, { scope: 'all', by: BY, reason: 'test' })
        await site.restrictions.lift(id, { by: BY, reason: 'test', keepUsage: false })
        if (at > 0) await site.registry.domains.move(`m${at}.example`, 'm0', BY)
      }
    })()
    for (let round = 0; round < 3; round++) {
      for (const key of shared) {
        const steps = await migration(key)
        await steps.begin()
        await steps.moveKeys(1)
        await steps.finish()
      }
    }
    moving = false
    await writing
    await assertConsistent(site.store)
    assert.ok((await site.registry.domains.list('m0')).length >= 20)
  })

  it('a script with all its keys on the node completes, though it deletes some', async () => {
    const { keys, client } = site.store
    const domain = { subdomains: false, shared: false }
    const apply = (auth: string) => {
      const text = `id: a\ntenants: { half: { connectors: { mx: { auth: [${auth}] } } } }`
      return applyTenantsFile(site.registry.store, parseTenantsFile(text, 'file'))
    }
    await client.del(keys.connectors, keys.connectorIdentities)
    await site.registry.tenants.add('half', { limits: '1/1h' }, BY)
    const names = ['h1.example', 'h2.example']
    await site.registry.domains.add(
      'half',
      names.map((name) => ({ ...domain, domain: name })),
      BY,
    )
    await apply('alice')
    await site.charge('half')
    assert.equal((await site.charge('half')).answer, 'TRIPPED')
    const state = await client.hget(keys.tenant('half'), 'state')

    const steps = [await migration(keys.tenant('half')), await migration(keys.connectors)]
    for (const step of steps) await step.begin()
    const act = { by: BY, reason: 'cleaned', keepUsage: false }
    assert.equal(await site.restrictions.lift('half', act), 'lifted')
    await site.registry.domains.remove('half', names)
    await apply('bob')
    for (const step of steps) await step.finish()

    assert.equal(await site.used('half'), 0)
    assert.ok(await client.hget(keys.usage('half'), 'generation'))
    assert.notEqual(await client.hget(keys.tenant('half'), 'state'), state)
    assert.deepEqual(await site.registry.domains.list('half'), [])
    assert.deepEqual((await site.registry.connectors.get('half', 'mx'))?.auth, ['bob'])
    await assertConsistent(site.store)
  })
})
