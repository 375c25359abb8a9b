import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import type { Store } from '../../src/store/store'
import { Allowance } from './allowance'
import { plantInScripts, type Fault } from './faults'
import { FEW_HOLDS, ledgerFollowsModel } from './ledger-schedules'

const SEED = 1
/** The number of schedules within which a fault must show. */
const SCHEDULES = 600

/** A fault in what counts. */
export interface LedgerFault extends Fault {
  readonly StoreClass?: typeof Store
}

/** A test for each fault: the test of the model must find it. */
export function findsEach(faults: readonly LedgerFault[]): void {
  for (const { what, edits, StoreClass } of faults) {
    it(`finds ${what}`, async (t) => {
      const scripts = { ...FEW_HOLDS, ...plantInScripts(edits) }
      const allowance = await Allowance.create({}, { scripts, ...(StoreClass && { StoreClass }) })
      const { failed, numRuns, errorInstance } = await fc.check(ledgerFollowsModel(allowance), {
        numRuns: SCHEDULES,
        seed: SEED,
        // Finding it is enough: no shrinking.
        endOnFailure: true,
      })
      assert.ok(failed, `not found in ${SCHEDULES} schedules`)
      if (errorInstance instanceof Error && errorInstance.name === 'ReplyError') throw errorInstance
      t.diagnostic(`in schedule ${numRuns}`)
    })
  }
}
