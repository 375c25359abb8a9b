// Runs the chaos suite: RUNS runs (default 10), or for MINUTES; each of SECONDS (default 20), with seeds from SEED
// (default: the clock).
//   npm run test:chaos
//   RUNS=100 SECONDS=30 npm run test:chaos
//   SEED=17 RUNS=1 npm run test:chaos       repeats a run as far as possible
import { writeFileSync } from 'node:fs'
import { figuresOf, run, scheduleLines, type RunReport } from './run'
import { accepted, transactionsOf } from './history'

const { env } = process
const seconds = Number(env['SECONDS'] ?? 20)
const first = Number(env['SEED'] ?? Date.now() % 1_000_000)
const minutes = env['MINUTES'] === undefined ? undefined : Number(env['MINUTES'])
const runs = Number(
  env['RUNS'] ?? (minutes === undefined ? (env['SEED'] === undefined ? 10 : 1) : Infinity),
)

async function main(): Promise<void> {
  const end = performance.now() + (minutes ?? Infinity) * 60_000
  const totals: Record<string, number> = {}
  const add = (what: string, count = 1) => (totals[what] = (totals[what] ?? 0) + count)
  for (let at = 0; at < runs && performance.now() < end; at++) {
    const report = await run({ seed: first + at, length: seconds * 1000 })
    console.log(figuresOf(report))
    add('runs')
    for (const { kind, skipped } of report.history.faults) if (skipped === undefined) add(kind)
    const transactions = transactionsOf(report.history)
    add('messages accepted', transactions.filter(({ ending }) => ending === 'accepted').length)
    add('transactions', transactions.length)
    for (const each of transactions) add('recipients accepted', accepted(each))
    if (Object.keys(report.broken).length > 0) {
      add('runs in which a rule was broken')
      tell(report)
    }
  }
  console.log(totals)
}

/** The files and logs for an analysis. */
function tell(report: RunReport): void {
  process.exitCode = 1
  for (const [rule, violations] of Object.entries(report.broken)) {
    console.log(`\nBROKEN  ${rule}`)
    for (const violation of violations.slice(0, 10)) console.log(`  ${violation}`)
    if (violations.length > 10) console.log(`  and ${violations.length - 10} more`)
  }
  console.log(`\n${scheduleLines(report).join('\n')}`)
  if (env['LOG']) writeFileSync(env['LOG'], report.log)
  console.log(`\nSEED=${report.seed} SECONDS=${report.length / 1000} npm run test:chaos\n`)
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
