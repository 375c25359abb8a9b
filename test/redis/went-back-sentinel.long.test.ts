// A primary is killed and replaced. It comes back with its old data just when the others stall, as on a busy machine, and
// Sentinel makes it the primary again.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { sentinelRelayFor } from '../support/failover'
import { CHANGES, LostTable, NODES } from '../support/lost-table'
import { readLost } from '../../src/registry/lost-changes'

/** In seconds. */
const STALLS = [15, 3, 8, 5]
/** Sentinel needs longer to replace a primary. */
const SHORT = 3

describe('a former primary comes back', { concurrency: 2 }, () => {
  for (const seconds of STALLS) {
    it(`while the others stall for ${seconds} s`, async (t) => {
      const relay = await sentinelRelayFor(t, { nodes: NODES })
      const { redis } = relay
      const table = await LostTable.prepare(relay)
      await redis.inSync()
      const former = await redis.primary()
      await former.kill()
      const second = await redis.failedOver(former)
      await table.make()
      await redis.inSync(1)

      let primary = second
      await table.lose(async () => {
        await former.restart()
        const others = redis.nodes.filter((node) => node !== former)
        for (const node of others) node.pause()
        await sleep(seconds * 1000)
        // On a busy machine it takes longer.
        if (seconds > SHORT) await redis.failedOver(second)
        for (const node of others) node.resume()
        primary = await redis.settled()
        return primary === former
      })
      if (primary !== former) {
        t.diagnostic('a primary that has all')
        await table.assertInEffect()
        assert.equal(await readLost(relay.store), undefined)
        assert.doesNotMatch(table.log, /\[CRIT\]/)
        return
      }
      t.diagnostic('the former primary, with older data')
      for (const name of Object.keys(CHANGES)) {
        await t.test(`loses ${name}, which holds in every process`, () => table.assertHeld(name))
      }
      await t.test('is not said to have lost what nobody knows', () => {
        assert.deepEqual(table.report.missing, [])
      })
    })
  }
})
