import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { loadConfig } from '../../src/process/config-file'
import { UnusualMonitor } from '../../src/unusual/monitor'
import { OverviewReader } from '../../src/unusual/overview'
import { assertAllRan, ClusterSite } from '../support/cluster'
import { LATER, play } from './scenario'
import { takeovers } from './scenarios'

describe('unusual mail on a Redis Cluster', () => {
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

  it('is found and raised once for each tenant, in every slot', async () => {
    const config = loadConfig(undefined).config
    const { store } = sites[0]!
    const burst = takeovers.find(({ rule }) => rule === 'volume')!
    const tenants = Array.from({ length: 6 }, (_, at) => `t${at}`)
    for (const tenant of tenants) await play(store, tenant, burst.build(), LATER)
    const notified: string[] = []
    for (let round = 0; round < 2; round++) {
      await Promise.all(
        sites.map((site) =>
          new UnusualMonitor(
            site.store,
            () => config,
            (tenant) => notified.push(tenant),
          ).run(),
        ),
      )
    }
    assert.deepEqual(notified.sort(), tenants)
    const all = await new OverviewReader(store, config).all()
    assert.deepEqual(
      all.map(({ tenant, rules }) => [tenant, rules.map(({ rule, raised }) => [rule, !!raised])]),
      tenants.map((tenant) => [tenant, [['volume', true]]]),
    )
    assertAllRan(sites, (folder) => folder === 'unusual')
    assert.deepEqual(
      sites.flatMap(({ errors }) => errors),
      [],
    )
  })
})
