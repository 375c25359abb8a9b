import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { scratchDir } from '../../scripts/services/scratch'
import { backup } from '../../src/backup/backup'
import { writeLines } from '../../src/registry-file/write-file'
import { openRecords } from '../../src/registry-file/read-file'
import { restore } from '../../src/backup/restore'
import { lookAtRegistry } from '../../src/registry/epoch'
import { waitFor } from '../../scripts/services/wait-for'
import { countKeys, purgeAll } from '../../src/operations/purge-all'
import { assertAllRan, ClusterSite } from '../support/cluster'
import { assertConsistent } from '../support/registry'

const BY = 'root'

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

  async function contents(): Promise<unknown> {
    const { registry, restrictions } = site
    const tenants = await registry.tenants.list()
    const domains = await Promise.all(tenants.map(({ id }) => registry.domains.list(id)))
    const used = await Promise.all(tenants.map(({ id }) => site.used(id)))
    const restricted = await restrictions.list()
    return { tenants, domains, used, restricted, connectors: await registry.connectors.list() }
  }

  it('a registry is restored after every primary has lost its data', async () => {
    const { registry, restrictions, store } = site
    const ids = Array.from({ length: 30 }, (_, at) => `t${at}`)
    for (const id of ids) {
      await registry.tenants.add(id, { limits: '5/1h' }, BY)
      const domain = { domain: `${id}.example`, subdomains: true, shared: false }
      await registry.domains.add(id, [domain], BY)
      await registry.connectors.add(id, 'mx', { auth: [id] }, BY)
    }
    for (let times = 0; times < 3; times++) await site.charge('t1')
    for (let times = 0; times < 6; times++) await site.charge('t2')
    await restrictions.index('t2')
    await restrictions.place('t3', { scope: 'all', by: BY, reason: 'test' })
    const wanted = await contents()

    const file = path.join(scratchDir('backup'), 'backup.jsonl')
    const { tenants } = await backup(store, (header, lines) => writeLines(file, header, lines))
    assert.equal(tenants, 30)
    for (const node of await cluster.primaries()) await node.call('FLUSHALL')
    assert.equal((await lookAtRegistry(store)).tenants, 0)
    const opened = await openRecords(file)
    assert.equal((await restore(store, opened)).result, 'restored')
    assert.equal((await restore(store, opened)).result, 'unchanged')
    await opened.close()
    assert.deepEqual(await contents(), wanted)
    await assertConsistent(store)
    assert.deepEqual(site.errors, [])
  })

  it('the data of one lost primary is restored with force', async () => {
    const { store } = site
    const wanted = await contents()
    const file = path.join(scratchDir('backup'), 'backup.jsonl')
    await backup(store, (header, lines) => writeLines(file, header, lines))
    const lost = await cluster.primaryOf(store.keys.ownerNames)
    await lost.call('FLUSHALL')
    const opened = await openRecords(file)
    const report = await restore(store, opened, { force: true })
    await opened.close()
    assert.equal(report.result, 'restored')
    assert.deepEqual(report.inconsistencies, [])
    assert.deepEqual(await contents(), wanted)
  })

  it('a purge is refused while a process follows any node, and deletes the keys of all primaries', async () => {
    const { store } = site
    const subscriber = site.subscriber()
    await waitFor(() => subscriber.status === 'ready')
    await subscriber.subscribe(store.keys.changes)
    await assert.rejects(purgeAll(store, 0), /stop Haraka on all hosts first/)
    subscriber.disconnect()
    const total = await countKeys(store)
    assert.ok(total > 50, String(total))
    await waitFor(() => purgeAll(store, total).then(Boolean, () => false))
    assert.equal(await countKeys(store), 0)
  })

  it('every backup script runs', () => {
    assertAllRan([site], (folder) => folder === 'backup')
  })
})
