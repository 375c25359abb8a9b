// A Redis that comes back with older data of the same registry: each kind of change that it has lost, in one return for each
// way in which its data can be older.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startHaraka, startRedis, TestRelay, waitFor, type TestHaraka } from '../support'
import { contentsOf, type Contents } from '../support/contents'
import { CHANGES, LostTable, NODES } from '../support/lost-table'
import { saveMoment, WAYS_BACK } from '../support/went-back'

/** A name that a tenant gets last, and which Redis loses. */
const LAST = 'The Last Change'

describe('A Redis that comes back with', { concurrency: WAYS_BACK.length }, () => {
  for (const way of WAYS_BACK) {
    describe(way.name, { concurrency: 1 }, () => {
      let relay: TestRelay
      let table: LostTable
      /** Of Redis, in the moment that it came back to. */
      let held: Contents

      before(async () => {
        const redis = await startRedis({ args: way.args })
        relay = new TestRelay(redis, [await startHaraka({ redis, nodes: NODES })])
        table = await LostTable.prepare(relay)
        held = await contentsOf(relay.store)
        const goBack = await saveMoment(redis, way)
        await table.make()
        await relay.registry.tenants.set('counted', { name: LAST })
        // It is written within seconds; what came later would be forgotten by a restart.
        await waitFor(() => snapshotOf(relay.haraka).includes(LAST), { what: 'the snapshot file' })
        await table.lose(goBack)
      })
      after(() => relay?.stop())

      for (const name of Object.keys(CHANGES)) {
        it(`loses ${name}, which holds in every process`, () => table.assertHeld(name))
      }

      it('gets nothing but restrictions and lifts from mail processes', async () => {
        const now = await contentsOf(relay.store)
        const { keys } = relay.store
        const untouched = [...held.keys()].filter(
          (key) =>
            key.startsWith(`${keys.prefix}{@owners}`) ||
            key.startsWith(keys.connectors) ||
            key === keys.tenants ||
            /\}:domains$/.test(key),
        )
        assert.ok(untouched.length > 10)
        for (const key of untouched) assert.deepEqual(now.get(key), held.get(key), key)
      })

      it('is not said to have lost what nobody knows', () => {
        assert.deepEqual(table.report.missing, [])
      })

      it('is found so by a Haraka that starts afterwards', async () => {
        await relay.haraka.restart()
        await table.assertInEffect()
      })
    })
  }
})

function snapshotOf({ dir }: TestHaraka): string {
  const file = path.join(dir, 'unregistered-domain.snapshot')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
