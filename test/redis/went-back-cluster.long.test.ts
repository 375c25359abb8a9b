// One shard of a Cluster comes back with older data, while the others stay.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { Keys } from '../../src/store/keys'
import { startClusterRelay, type RelayCluster } from '../support/cluster'
import { CHANGES, LostTable, NODES } from '../support/lost-table'
import type { TestRelay } from '../support/relay'
import { saveMoment, WAYS_BACK } from '../support/went-back'

const [RDB] = WAYS_BACK
const KEYS = new Keys('ud:')
/** What all tenants share, each in a slot of its own. */
const SHARED = [KEYS.connectors, KEYS.ownerNames, KEYS.tenants, KEYS.restricted, KEYS.events]
/** All tenants of the table. */
const TENANTS = [
  ...['tripped', 'again', 'placed', 'widened', 'lifted', 'probed', 'blocked', 'disabled'],
  ...['smaller', 'larger', 'giver', 'taker', 'watched', 'limited', 'growing', 'shrinking'],
  ...['seller', 'buyer', 'newcomer', 'shortly', 'leaver', 'neighbour', 'counted'],
]

interface Shard {
  readonly name: string
  /** What is in it, apart from the tenants. */
  readonly shared: readonly string[]
  readonly replicas: 0 | 1
}

const SHARDS: readonly Shard[] = [
  { name: 'the tenants alone, and its replica', shared: [], replicas: 1 },
  { name: 'the tenants and the connectors', shared: [KEYS.connectors], replicas: 0 },
  { name: 'the tenants and the owners of domains', shared: [KEYS.ownerNames], replicas: 0 },
  { name: 'the tenants and their index', shared: [KEYS.tenants], replicas: 0 },
  { name: 'the tenants and the index of restricted ones', shared: [KEYS.restricted], replicas: 0 },
]

describe('A Cluster of which one shard goes back, that with', { concurrency: 2 }, () => {
  for (const { name, shared, replicas } of SHARDS) {
    describe(name, { concurrency: 1 }, () => {
      let cluster: TestCluster
      let relay: TestRelay<RelayCluster>
      let table: LostTable
      before(async () => {
        cluster = await startRedisCluster({ replicas })
        await split(cluster, [...TENANTS.map((id) => KEYS.tenant(id)), ...shared])
        relay = await startClusterRelay(cluster, { nodes: NODES })
        const connectors = shared.includes(KEYS.connectors)
        table = await LostTable.prepare(relay, (line) => connectors || !/ connector: /.test(line))
        const [shard] = cluster.nodes
        const nodes = replicas === 0 ? [shard!] : [shard!, await cluster.replicaOf(shard!)]
        const goBack = await Promise.all(nodes.map(({ redis }) => saveMoment(redis, RDB!)))
        await table.make()
        await table.lose(async () => {
          await Promise.all(goBack.map((each) => each()))
          await cluster.whenInOrder()
        })
      })
      after(async () => {
        await relay?.stop()
        await cluster?.stop()
      })

      for (const change of Object.keys(CHANGES)) {
        it(`loses ${change}, which holds in every process`, () => table.assertHeld(change))
      }

      it('is not said to have lost what nobody knows', () => {
        assert.deepEqual(table.report.missing, [])
      })
    })
  }
})

/** Moves the slots of these keys to the first primary, and those of other shared structures away from it. */
async function split(cluster: TestCluster, keys: readonly string[]): Promise<void> {
  const [shard, other] = cluster.nodes
  for (const key of new Set([...SHARED, ...keys])) {
    const to = keys.includes(key) ? shard! : other!
    await cluster.assign(await cluster.slotOf(key), to)
  }
  await cluster.whenInOrder()
}
