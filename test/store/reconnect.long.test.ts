import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { waitFor } from '../../scripts/services/wait-for'
import { connect } from '../../src/store/connection'
import { onReconnect } from '../../src/store/reconnect'
import type { Client } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { startRedis } from '../support/redis'

/** Keys of two primaries: after a vote the others do not vote again for a replica of the same one for a while. */
const [KEY, OTHER] = ['{b}', '{c}']
/** A failover takes seconds, and longer on a busy machine. */
const PATIENCE = { timeout: 60_000 }

let client: Client | undefined
afterEach(() => client?.disconnect())

/** Connects; the returned function tells how often the listener was called since. */
async function listening(settings: Parameters<typeof connect>[0]): Promise<() => number> {
  let calls = 0
  client = connect(settings, () => {})
  onReconnect(client, () => calls++)
  await waitFor(() => calls > 0, PATIENCE)
  const begun = calls
  return () => calls - begun
}

describe('a reconnect is noticed', () => {
  it('of a single Redis that restarts', async (t) => {
    const redis = await startRedis()
    t.after(() => redis.stop())
    const calls = await listening(settingsFor(redis))
    await redis.restart()
    await waitFor(() => calls() > 0, PATIENCE)
    assert.equal(client!.status, 'ready')
  })

  describe('of a Cluster', () => {
    let cluster: TestCluster
    before(async () => {
      cluster = await startRedisCluster({ replicas: 1, nodeTimeout: 3000 })
    })
    after(() => cluster?.stop())

    const opened = async () => {
      const settings = settingsFor(cluster.nodes[0]!, { cluster: cluster.endpoints })
      const calls = await listening(settings)
      // ioredis connects to a node when a command needs it.
      for (const key of [KEY, OTHER]) await client!.set(key, '')
      return calls
    }

    it('that restarts one node, without any command', async () => {
      const calls = await opened()
      const primary = await cluster.primaryOf(KEY)
      await primary.restart()
      await waitFor(() => calls() > 0, PATIENCE)
      assert.equal(client!.status, 'ready')
      await cluster.whenInOrder()
    })

    it('whose primary is killed, without any command', async () => {
      const calls = await opened()
      const primary = await cluster.primaryOf(KEY)
      const replica = await cluster.replicaOf(primary)
      await cluster.inSync(primary, replica)
      await primary.kill()
      await cluster.whenPromoted(replica)
      await waitFor(() => calls() > 0, PATIENCE)
      await primary.restart()
      await cluster.whenInOrder()
    })

    it('whose replica takes over and gives back, on the connections that there are', async () => {
      const calls = await opened()
      const former = await cluster.primaryOf(OTHER)
      for (const primary of [former, await cluster.replicaOf(former)]) {
        const before = calls()
        const replica = await cluster.replicaOf(primary)
        await cluster.inSync(primary, replica)
        await cluster.failOver(primary)
        await client!.set(OTHER, '')
        await waitFor(() => calls() > before, PATIENCE)
      }
      assert.equal(await cluster.primaryOf(OTHER), former)
      const there = calls()
      for (let turn = 0; turn < 100; turn++) await client!.set(OTHER, String(turn))
      assert.equal(calls(), there, 'nothing is told without a reason')
    })
  })
})
