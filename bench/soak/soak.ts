// Loads the plugin for long and watches what it holds: npm run soak -- --help
import path from 'node:path'
import { describeMachine, warnings } from '../machine'
import { tell, writeJson, writePage } from '../output'
import { Progress } from '../progress'
import { facts, toTable, verdict, type Results } from '../report'
import { flood, mostConnections } from './flood'
import { readOptions } from './options'
import { planFor } from './plan'
import { allMet, sectionsOf } from './report'
import { soak } from './run'

const ROOT = path.resolve(__dirname, '../..')
const RESULTS = path.join(ROOT, 'bench/results/soak')
/** Kept with the sources, for who reads about the performance. */
const PUBLISHED = path.join(ROOT, 'docs/performance/soak')

async function main(): Promise<boolean> {
  const { minutes, seed, publish } = readOptions(process.argv.slice(2))
  const begin = performance.now()
  const startedAt = new Date().toISOString()
  const machine = { ...describeMachine(), peers: [] }
  const progress = new Progress()
  progress.section('soak')
  const plan = planFor(minutes, seed)
  const run = await soak(plan, progress)
  const flooded = plan.idle <= mostConnections() ? await flood(plan, progress) : undefined
  progress.end()
  const sections = sectionsOf(run, flooded, plan)
  const results: Results = {
    command: `npm run soak -- ${minutes}`,
    startedAt,
    seconds: (performance.now() - begin) / 1000,
    quick: false,
    machine,
    warnings: warnings(machine),
    sections,
  }
  console.log(toTable(results))
  for (const { title, meaning } of sections) console.log(`${title}. ${meaning}\n`)
  console.log(`${facts(results).join('\n')}\n\n${verdict(results)}\n`)
  for (const failure of [...run.failures, ...(flooded?.failures ?? [])]) console.error(failure)

  writeJson(path.join(RESULTS, 'latest.json'), results)
  tell(RESULTS, ['latest.json', ...(await writePage(RESULTS, 'latest.md', results))])
  if (publish) tell(PUBLISHED, await writePage(PUBLISHED, 'figures.md', results))
  return allMet(sections)
}

main().then(
  (met) => process.exit(met ? 0 : 1),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
