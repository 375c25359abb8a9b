import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { waitFor } from '../../scripts/services/wait-for'
import { startWindowsAfresh } from '../../src/allowance/fresh-windows'
import { Ledger } from '../../src/allowance/ledger'
import {
  pauseEnforcement,
  pauseInEffect,
  putPauseBack,
  readPause,
  resumeEnforcement,
} from '../../src/enforcement/pause'
import { parseLimits } from '../../src/mail/limits'
import { readTenantAudit } from '../../src/audit/reader'
import { purgeTenant } from '../../src/operations/purge'
import type { Batch } from '../../src/reporting/batch'
import { findInMail } from '../../src/reporting/mail-index'
import { Recorder } from '../../src/reporting/recorder'
import { Tally, UNATTRIBUTED } from '../../src/reporting/tally'
import { Totals } from '../../src/reporting/totals'
import type { UnattributedBatch } from '../../src/reporting/unattributed-batch'
import { scanTags } from '../../src/store/scan'
import { applyTenantsFile } from '../../src/tenants-file/apply'
import { findInconsistencies, repair } from '../../src/registry/consistency/consistency'
import { Directory } from '../../src/directory/directory'
import { removeEntries } from '../../src/registry/domain-entries'
import { ownerOf } from '../../src/registry/owners'
import { leaveNames } from '../../src/registry/pending'
import { parseTenantsFile } from '../../src/tenants-file/parse'
import type { MessageCharge } from '../../src/allowance/ledger'
import { DEFAULTS } from '../support/allowance'
import { beat } from '../support/nodes'
import { confirmed } from '../../src/nodes/confirm'
import { CONNECTORS } from '../../src/nodes/question'
import { assertAllRan, ClusterSite, newTransaction } from '../support/cluster'
import { hasClusterTest } from '../support/lua'
import { assertConsistent, laterToken } from '../support/registry'
import { ACCEPTED, HOUR, readRows } from '../support/reporting'
import { acceptContent } from '../../src/registry/epoch'
import { forgetLost, forgetPutBack, readLost, reportLost } from '../../src/registry/lost-changes'
import { removeTenant } from '../../src/registry/tenant-removal'

const BY = 'test'
const ACT = { by: 'anna', reason: 'cleaned' }

/** Three primaries. The tests depend on each other: the last one checks what all of them have run. */
describe('on a Redis Cluster', () => {
  let cluster: TestCluster
  let site: ClusterSite
  before(async () => {
    cluster = await startRedisCluster()
    site = await ClusterSite.open(cluster)
  })
  after(async () => {
    site?.close()
    await cluster?.stop()
  })

  it('tenants, domains and connectors are added, changed, moved, listed and removed', async () => {
    const { registry, store } = site
    const ids = Array.from({ length: 40 }, (_, at) => `t${at}`)
    for (const id of ids) await registry.tenants.add(id, {}, BY)
    assert.deepEqual(
      (await registry.tenants.list()).map(({ id }) => id),
      [...ids].sort(),
    )
    const slots = await Promise.all(ids.map((id) => cluster.primaryOf(store.keys.tenant(id))))
    assert.equal(new Set(slots).size, 3, 'the tenants are spread over all primaries')

    assert.equal(await registry.tenants.set('t1', { limits: '1/1h' }), 'changed')
    const domains = Array.from({ length: 600 }, (_, at) => ({
      domain: `d${at}.example`,
      subdomains: at % 2 === 0,
      shared: false,
    }))
    await registry.domains.add('t1', domains, BY)
    await registry.domains.move('d0.example', 't2', BY)
    assert.equal(await ownerOf(store, 'x.d0.example'), 't2')
    assert.equal(await ownerOf(store, 'x.d1.example'), undefined)
    await assert.rejects(
      registry.domains.add('t3', [{ ...domains[1]!, domain: 'x.d2.example' }], BY),
      /d2\.example/,
    )
    await registry.domains.remove('t1', ['d1.example', 'd3.example'])
    assert.equal((await registry.domains.list('t1')).length, 597)

    await registry.connectors.add('t1', 'hq', { ip: ['192.0.2.1'], auth: ['bob'] }, BY)
    await assert.rejects(registry.connectors.add('t2', 'mx', { ip: ['192.0.2.1'] }, BY), /t1\/hq/)
    await registry.connectors.setEnabled('t1', 'hq', false)
    assert.equal((await registry.connectors.get('t1', 'hq'))?.enabled, false)
    await registry.connectors.remove('t1', 'hq')
    await registry.connectors.add('t2', 'mx', { ip: ['192.0.2.1'] }, BY)

    await removeTenant(registry.store, 't1')
    assert.equal((await registry.tenants.list()).length, 39)
    await assertConsistent(store)
  })

  it('a tenants file is applied', async () => {
    const text = 'id: a\ntenants: { t5: { domains: [e1.example] }, new: { domains: [e2.example] } }'
    const applied = await applyTenantsFile(site.registry.store, parseTenantsFile(text, 'file'))
    assert.deepEqual(applied.added.sort(), [
      'domain e1.example of t5',
      'domain e2.example of new',
      'tenant new',
    ])
    assert.deepEqual(applied.updated, ['tenant t5'])
    assert.equal(await ownerOf(site.store, 'e2.example'), 'new')
    await assertConsistent(site.store)
  })

  it('a name whose removal was interrupted yields to another tenant', async () => {
    const { store, registry } = site
    for (const id of ['t1', 't2']) await registry.tenants.add(id, {}, BY)
    const entry = { domain: 'left.example', subdomains: true, shared: false }
    await registry.domains.add('t1', [entry], BY)
    await leaveNames(store, 't1', ['left.example'])
    await assert.rejects(registry.domains.add('t2', [entry], BY), /left\.example belongs to t1/)
    await removeEntries(store, 't1', ['left.example'], 'any')
    await registry.domains.add('t2', [{ ...entry, domain: 'x.left.example' }], BY)
    assert.equal(await ownerOf(store, 'left.example'), undefined)
    await assertConsistent(store)
  })

  it('inconsistencies are found on every primary, and repaired', async () => {
    const { store, client } = site
    const { keys } = store
    await site.restrictions.place('t4', { ...ACT, scope: 'all' })
    await site.restrictions.place('t6', { ...ACT, scope: 'unregistered' })
    await site.registry.connectors.add('t6', 'mx', { auth: ['eve'] }, BY)
    const ids = (await site.registry.tenants.list()).map(({ id }) => id)
    await client.del(keys.tenants)
    await client.del(keys.restricted)
    await client.del(keys.connectorIdentities)
    await client.hset(keys.ownerNames, 'nobody.example', '- gone')
    await client.zrem(keys.ownerIndex, 'example.e2')
    const found = await findInconsistencies(store)
    const kinds = new Set(found.map(({ kind }) => kind))
    assert.deepEqual(
      [...kinds].sort(),
      ['claim-without-entry', 'identity-table', 'owner-index', 'restricted-index', 'tenant-index'],
      found.map(({ text }) => text).join('\n'),
    )
    assert.deepEqual(await repair(store, found), [])
    await assertConsistent(store)
    assert.deepEqual(
      (await site.registry.tenants.list()).map(({ id }) => id),
      ids,
    )
    assert.deepEqual([...(await scanTags(store, ':restriction'))].sort(), ['t4', 't6'])
  })

  it('the ledger gives each of its answers', async () => {
    const { registry, restrictions } = site
    const add = (id: string, settings = {}) => registry.tenants.add(id, settings, BY)
    await add('two', { limits: '2/1h' })
    await add('zero', { limits: '0/1h' })
    await add('defer', { limits: '0/1h defer' })
    await add('off', { mode: 'off' })
    await add('watched', { limits: '1/1h', mode: 'monitor' })
    const domain = { domain: 'own.example', subdomains: true, shared: false }
    await registry.domains.add('two', [domain], BY)

    const first = newTransaction()
    assert.equal((await site.charge('two', { transaction: first })).answer, 'CHARGED')
    assert.equal((await site.charge('two', { transaction: first })).answer, 'CHARGED')
    assert.equal(await site.used('two'), 1, 'its receipt is known')
    const stale = { domainsToken: 'old' }
    const own = { ...stale, domain: 'x.own.example' }
    assert.equal((await site.charge('two', own)).answer, 'REGISTERED')
    const second = await site.charge('two', stale)
    assert.deepEqual([second.answer, second.stale], ['CHARGED', true])
    const late = new Ledger(site.store, -1e9)
    // A first call may only read the time of Redis, and end before the answer.
    await waitFor(async () => (await site.charge('two', { ledger: late })).answer === 'EXPIRED')
    assert.equal((await site.charge('two')).answer, 'TRIPPED')
    assert.equal((await site.charge('two')).answer, 'RESTRICTED')
    assert.equal((await site.charge('zero')).answer, 'ZERO')
    assert.equal((await site.charge('defer')).answer, 'DEFER')
    assert.equal((await site.charge('off')).answer, 'OFF')
    assert.equal((await site.charge('nobody')).answer, 'GONE')
    const bounce = { meter: 'null', defaults: { nullLimits: parseLimits('0/1h') } } as const
    assert.equal((await site.charge('two', bounce)).answer, 'FULL')
    await site.charge('watched')
    assert.equal((await site.charge('watched')).firstWouldTrip, true)

    assert.equal(await site.ledger.refund('two', first, [1]), 1)
    assert.equal(await site.ledger.refund('two', first, [1]), 0)
    assert.equal((await site.charge('two', { transaction: first })).answer, 'EXPIRED')
    assert.equal(await site.used('two'), 1)
    await restrictions.index('two')
    assert.equal((await restrictions.get('two'))?.trigger?.limit, 2)
    assert.equal(await restrictions.place('two', { ...ACT, scope: 'all' }), 'widened')
    assert.equal((await site.charge('two')).scope, 'all')
    assert.ok((await restrictions.list()).some(({ tenant }) => tenant === 'two'))
    assert.equal(await restrictions.lift('two', { ...ACT, keepUsage: false }), 'lifted')
    assert.equal(await site.used('two'), 0)
    assert.ok(!(await restrictions.list()).some(({ tenant }) => tenant === 'two'))
  })

  it('a forward is held, proven and refunded', async () => {
    const { ledger, registry, store, client } = site
    await registry.tenants.add('school', { forwardedLimits: '5/1h' }, BY)
    const { answer } = await site.charge('school', { transaction: 'F1.1' })
    assert.equal(answer, 'HELD')
    const settlement: MessageCharge = {
      ...{ tenant: 'school', transaction: 'F1.1', ordinals: [1], signatures: ['s1', 's2'] },
      ...{ meter: 'forwarded', domain: 'other.example', connector: '', ip: '192.0.2.1' },
    }
    assert.equal((await ledger.chargeMessage(settlement, DEFAULTS)).answer, 'FORWARDED')
    assert.equal(await client.get(store.keys.signature('school', 's2')), '1')
    assert.equal(await ledger.refund('school', 'F1.1', [1], ['s1', 's2']), 1)
    assert.equal(await client.get(store.keys.signature('school', 's2')), '0')
  })

  it('scripts missing on every node are sent again', async () => {
    for (const node of cluster.nodes) await node.call('SCRIPT', 'FLUSH')
    await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        await site.registry.tenants.add(`s${at}`, {}, BY)
        assert.equal((await site.charge(`s${at}`)).answer, 'CHARGED')
        assert.equal(await site.used(`s${at}`), 1)
      }),
    )
  })

  it('a change published on any node is received', async () => {
    const { client, store } = site
    const directory = await follow(site)
    try {
      assert.equal((await directory.load('t7'))?.mode, undefined)
      for (const [at, node] of cluster.nodes.entries()) {
        // Without its own message, so that this node's message is the only one.
        const mode = at % 2 === 0 ? 'monitor' : 'off'
        const token = laterToken()
        await client.hset(store.keys.tenant('t7'), { mode, state: token })
        const message = JSON.stringify({ tenant: 't7', token })
        await node.call('PUBLISH', store.keys.changes, message)
        await waitFor(() => directory.peek('t7')?.mode === mode)
      }
      await site.registry.connectors.add('t8', 'mx', { auth: ['alice'] }, BY)
      await waitFor(() => directory.connectors?.byAuth('alice'))
    } finally {
      directory.stop()
    }
  })

  it('changes missed by a lost subscription are loaded by the next one', async () => {
    const { client, store } = site
    const directory = await follow(site)
    try {
      await directory.load('t9')
      await client.hset(store.keys.tenant('t9'), { mode: 'off', state: laterToken() })
      const closed = await Promise.all(
        cluster.nodes.map((node) => node.call('CLIENT', 'KILL', 'TYPE', 'pubsub')),
      )
      assert.ok(closed.some((count) => Number(count) > 0))
      await waitFor(() => directory.peek('t9')?.mode === 'off')
    } finally {
      directory.stop()
    }
  })

  it('a change of a tenant or a connector on any node is confirmed, and older processes are counted', async () => {
    const { store, restrictions } = site
    const { keys } = store
    const ids = Array.from({ length: 6 }, (_, at) => `confirmed${at}`)
    for (const id of ids) await site.registry.tenants.add(id, {}, BY)
    const primaries = await Promise.all(
      [keys.nodes, ...ids.map((id) => keys.tenant(id))].map((key) => cluster.primaryOf(key)),
    )
    assert.equal(new Set(primaries).size, 3)
    const processes = await Promise.all(
      ['mx1', 'mx2', 'mx3'].map(async (host) => ({
        ...{ host, directory: await follow(site, `${host}/a`) },
      })),
    )
    const older = await follow(site)
    for (const { host, directory } of processes) {
      await beat(store, { id: `${host}/a`, host })
      for (const id of ids) await directory.load(id)
    }
    /** Again where a busy machine takes longer than a person waits. */
    const isInForce = (subject: string, change: () => Promise<unknown>): Promise<unknown> =>
      waitFor(async () => {
        const { confirmation } = await confirmed(store, [subject], change)
        assert.deepEqual([confirmation.of, confirmation.older], [3, 1])
        return confirmation.inForce === 3
      })
    try {
      for (const id of ids) {
        await isInForce(id, () => restrictions.place(id, { ...ACT, scope: 'unregistered' }))
        for (const { directory } of processes) {
          assert.equal(directory.look(id)?.restricted, 'unregistered', id)
        }
        await isInForce(id, () => restrictions.lift(id, { ...ACT, keepUsage: false }))
      }
      await site.registry.connectors.add(ids[0]!, 'suspect', { auth: ['mallory'] }, BY)
      await isInForce(CONNECTORS, () => site.registry.connectors.block(ids[0]!, 'suspect', ACT))
      for (const { directory } of processes) {
        assert.ok(directory.connectors?.byAuth('mallory')?.blocked)
      }
    } finally {
      for (const { directory } of [...processes, { directory: older }]) directory.stop()
      await store.client.del(keys.nodes, keys.nodesSeen)
    }
  })

  it('counts of mail are recorded', async () => {
    const { store, client } = site
    const recorder = new Recorder(store, () => 90)
    const tally = new Tally(assert.fail)
    const source = { domain: 'other.example', connector: 't11/mx', ip: '::1', user: '' }
    tally.batchOf('t11')!.addSource(source, 'unregistered', ACCEPTED)
    tally.unattributed!.add({ ip: '::1', user: '', certificate: '' }, ACCEPTED)
    const batch = tally.take('t11') as Batch
    const time = await recorder.record('t11', batch, 'p 1')
    assert.equal(typeof time, 'number')
    assert.equal(typeof (await recorder.record('t11', batch, 'p 1')), 'number')
    const totals = new Totals(store)
    totals.addBatch(batch)
    await totals.flush()
    assert.equal(await client.hget(store.keys.totals, 'u accepted recipients'), '1')
    await recorder.noteReported(new Map([['t11', Number(time)]]))
    await recorder.recordUnattributed(tally.take(UNATTRIBUTED) as UnattributedBatch, 'p 1')
    const hour = Math.floor(Number(time) / HOUR)
    const rows = readRows(await client.hgetall(store.keys.reportHour('t11', hour)))
    assert.deepEqual(
      rows.map(({ counts }) => counts.accepted),
      [1],
    )
    assert.equal(await client.zscore(store.keys.reported, 't11'), String(time))
    await recorder.mailIndex.write()
    const { domains } = await findInMail(store, 'other.example', Number(time), 20)
    assert.deepEqual(
      domains.items.map(({ value, tenant }) => [value, tenant]),
      [['other.example', 't11']],
    )
  })

  it('the data of a removed tenant is erased', async () => {
    const { store, client, registry, restrictions } = site
    await registry.tenants.add('erased', {}, BY)
    const tally = new Tally(assert.fail)
    const source = { domain: 'other.example', connector: '', ip: '::1', user: '' }
    tally.batchOf('erased')!.addSource(source, 'unregistered', ACCEPTED)
    const recorder = new Recorder(store, () => 90)
    tally.batchOf('t7')!.addSource(source, 'foreign', ACCEPTED, 'erased')
    for (const id of ['erased', 't7']) {
      const time = await recorder.record(id, tally.take(id) as Batch, 'p 1')
      await recorder.noteReported(new Map([[id, Number(time)]]))
      await recorder.mailIndex.write()
    }
    await restrictions.place('erased', { ...ACT, scope: 'all' })
    await restrictions.lift('erased', { ...ACT, keepUsage: false })
    await removeTenant(registry.store, 'erased')
    assert.notDeepEqual(await keysOf('erased'), [])
    await purgeTenant(store, 'erased')
    assert.deepEqual(await keysOf('erased'), [])
    assert.equal(await client.zscore(store.keys.reported, 'erased'), null)
    const { domains } = await findInMail(store, 'other.example', Date.now(), 20)
    assert.ok(!domains.items.some(({ tenant }) => tenant === 'erased'))
    const trail = await readTenantAudit(store, 'erased', 0)
    assert.deepEqual(
      trail.map(({ what }) => what),
      ['tenant purged'],
    )
  })

  it('what it loses is put back, reported and accepted', async () => {
    const { store, client, registry, restrictions } = site
    await registry.tenants.add('lossy', {}, BY)
    const restricted = { scope: 'unregistered', since: '7', by: 'ann', reason: 'abuse' }
    const created = (await client.hget(store.keys.tenant('lossy'), 'createdAt'))!
    const fields = { ...restricted, case: 'lossy:1', event: 'evt_1' }
    assert.ok(await restrictions.putBack('lossy', created, fields))
    assert.equal((await restrictions.get('lossy'))?.case, 'lossy:1')
    const lift = { at: '8', since: '7', by: 'ann', reason: 'cleaned', event: 'evt_1' }
    const rest = { case: 'lossy:1', id: 'evt_2', keepUsage: '0', probation: '' }
    assert.ok(await restrictions.putLiftBack('lossy', created, { ...lift, ...rest }))
    assert.equal(await restrictions.get('lossy'), undefined)
    await reportLost(store, [{ kind: 'missing', subject: 'lossy', known: 2, found: 1 }])
    await forgetPutBack(store)
    assert.equal((await readLost(store))?.missing.length, 1)
    await forgetLost(store, await acceptContent(store))
    assert.equal(await readLost(store), undefined)
  })

  it('enforcement is paused and resumed, a lost change is put back, and windows start afresh', async () => {
    const { store, registry } = site
    const words = { ...ACT, words: 'for 1h' }
    const paused = await pauseEnforcement(store, { ...words, duration: HOUR, everything: false })
    assert.equal(pauseInEffect(await readPause(store))?.mark, paused.mark)
    const resumed = await resumeEnforcement(store, ACT)
    assert.equal(pauseInEffect(await readPause(store)), undefined)
    const later = { ...resumed, mark: resumed.mark + 1 }
    await putPauseBack(store, later)
    assert.equal((await readPause(store)).change?.mark, later.mark)
    await registry.tenants.add('afresh', { limits: '5/1d' }, BY)
    await site.charge('afresh')
    assert.equal(await site.used('afresh'), 1)
    assert.ok(await startWindowsAfresh(store, 'afresh', ACT))
    assert.equal(await site.used('afresh'), 0)
  })

  it('a call to a slot without an answering node ends with its time limit', async () => {
    const hasty = await ClusterSite.open(cluster, { commandTimeout: 400 })
    const primary = await cluster.primaryOf(site.store.keys.tenant('t10'))
    await site.charge('t10')
    await hasty.charge('t10')
    await primary.kill()
    try {
      // After many attempts, and at its time limit.
      await assert.rejects(hasty.charge('t10', { domainsToken: '' }), /^Error: Command timed out$/)
    } finally {
      hasty.close()
      await primary.restart()
      await cluster.whenInOrder()
    }
    assert.equal((await site.charge('t10')).answer, 'GONE', 'nothing was kept')
  })

  it('every script has run on it, here or in a test of its folder', () => {
    assertAllRan([site], (folder) => !hasClusterTest(folder))
  })

  /** All keys of a tenant, on any node. */
  async function keysOf(tenant: string): Promise<string[]> {
    const nodes = await cluster.primaries()
    const found = await Promise.all(nodes.map((node) => node.call('KEYS', `ud:{${tenant}}*`)))
    return (found as string[][]).flat()
  }
})

/** A directory of this process, with its subscription established. */
async function follow(site: ClusterSite, processId = ''): Promise<Directory> {
  const directory = new Directory(site.store, {
    onReady: () => {},
    onRestriction: () => {},
    onError: (message) => site.errors.push(message),
  })
  const subscriber = site.subscriber()
  directory.follow(subscriber, processId)
  await waitFor(() => subscriber.status === 'ready')
  // Again: when this is answered, so is the directory's own.
  await subscriber.subscribe(site.store.keys.changes)
  return directory
}
