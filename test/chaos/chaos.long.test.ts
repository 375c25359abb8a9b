import assert from 'node:assert/strict'
import { it } from 'node:test'
import { figuresOf, run, scheduleLines } from './run'

/** ms; `npm run test:chaos` runs longer and repeatedly. */
const LENGTH = 7000

it('Mail of four tenants under all kinds of faults breaks no rule', async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
  const report = await run({ seed, length: LENGTH })
  t.diagnostic(figuresOf(report))
  if (Object.keys(report.broken).length > 0) {
    for (const line of scheduleLines(report)) t.diagnostic(line)
    t.diagnostic(`SEED=${seed} SECONDS=${LENGTH / 1000} npm run test:chaos`)
  }
  assert.deepEqual(report.broken, {})
})
