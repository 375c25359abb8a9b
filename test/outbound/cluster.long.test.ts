import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { askQueues, dropFromQueues } from '../../src/operations/queue-orders'
import { assertAllRan, ClusterSite } from '../support/cluster'
import { queueFile } from '../support/queue-files'
import { OrderedHost, served } from '../support/queue-host'

describe('orders to queues on a Redis Cluster', () => {
  let cluster: TestCluster
  let sites: ClusterSite[]
  before(async () => {
    cluster = await startRedisCluster()
    sites = await Promise.all(Array.from({ length: 3 }, () => ClusterSite.open(cluster)))
  })
  after(async () => {
    for (const site of sites ?? []) site.close()
    await cluster?.stop()
  })

  it('reach each host, which drops what it has listed', async () => {
    const [{ store, registry }, ...others] = sites as [ClusterSite, ...ClusterSite[]]
    const hosts = others.map((site, at) => new OrderedHost(site.store, `mx${at}`))
    await registry.tenants.add('contoso', {}, 'test')
    for (const { host } of hosts) queueFile(host.directory, { tenant: 'contoso' })
    const list = await served(hosts, () => askQueues(store, { tenant: 'contoso', for: 'drop' }))
    const { hosts: done } = await served(hosts, () => dropFromQueues(store, list))
    assert.deepEqual(
      done.map(({ host, dropped }) => [host.name, dropped.messages]),
      [
        ['mx0', 1],
        ['mx1', 1],
      ],
    )
    for (const { host } of hosts) assert.deepEqual(readdirSync(host.directory), [])
    assertAllRan(sites, (folder) => folder === 'outbound')
  })
})
