import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Allowance } from '../support/allowance'
import { ledgerFollowsModel } from '../support/ledger-schedules'
import { useRedis } from '../support/registry'

/** `SCHEDULES=5000 SEED=1 npm test -- ledger-model` runs more of them, or the same ones again. */
const SCHEDULES = Number(process.env['SCHEDULES'] ?? 500)
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)

useRedis()

describe('the ledger', () => {
  it('counts as a plain list of events does, never over and never twice', async (t) => {
    t.diagnostic(`${SCHEDULES} schedules from seed ${SEED}`)
    const allowance = await Allowance.create()
    await fc.assert(ledgerFollowsModel(allowance), { numRuns: SCHEDULES, seed: SEED })
  })
})
