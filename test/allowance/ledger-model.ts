import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Allowance } from '../support/allowance'
import { coalesceWrites } from '../support/coalesce-writes'
import { FEW_HOLDS, ledgerFollowsModel, Tally } from '../support/ledger-schedules'
import { theRedis, useRedis } from '../support/registry'

/**
 * `SCHEDULES=20000 npm test -- ledger-model` runs more of them. `SEED=n` runs the same ones again; with the seed that
 * a counterexample names, the schedules that it was found in.
 */
const SCHEDULES = process.env['SCHEDULES']
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
/** Lots of schedules run side by side, each from a seed of its own: a schedule mostly waits for Redis. */
const LOTS = 20

/** @param schedules how many are run where the environment does not say. */
export function testLedger(schedules: number): void {
  useRedis()
  describe('the ledger', () => {
    it('counts as a plain list of events does, never over and never twice', async (t) => {
      const numRuns = Math.ceil(Number(SCHEDULES ?? schedules) / LOTS)
      t.diagnostic(`${LOTS} times ${numRuns} schedules, from seeds ${SEED} to ${SEED + LOTS - 1}`)
      const client = coalesceWrites(theRedis().client())
      const tally = new Tally()
      const lots = Array.from({ length: LOTS }, async (_, lot) => {
        const allowance = await Allowance.create({}, { client, scripts: FEW_HOLDS })
        await fc.assert(ledgerFollowsModel(allowance, tally), { numRuns, seed: SEED + lot })
      })
      // Not all(): the others go on while one is shrunk to a counterexample.
      const failed = (await Promise.allSettled(lots)).find(({ status }) => status === 'rejected')
      t.diagnostic(String(tally))
      if (failed?.status === 'rejected') throw failed.reason
    })
  })
}
