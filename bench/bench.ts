// Measures what the plugin costs and how it scales: npm run bench -- --help
import path from 'node:path'
import { FULL, QUICK } from './effort'
import { describeMachine, warnings } from './machine'
import { readOptions, type Options } from './options'
import { tell, writeJson, writePage } from './output'
import { Progress } from './progress'
import { facts, toTable, verdict, type Results, type SectionResult } from './report'
import { skipped, type Section } from './row'
import { SECTIONS } from './sections'

const ROOT = path.resolve(__dirname, '..')
const RESULTS = path.join(ROOT, 'bench/results')
/** Kept with the sources, for who reads about the performance. */
const PUBLISHED = path.join(ROOT, 'docs/performance')

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  const results = await run(options)
  const { sections } = results
  console.log(toTable(results))
  for (const { title, meaning } of sections) console.log(`${title}. ${meaning}\n`)
  console.log(`${facts(results).join('\n')}\n\n${verdict(results)}\n`)

  writeJson(path.join(RESULTS, 'latest.json'), results)
  tell(RESULTS, ['latest.json', ...(await writePage(RESULTS, 'latest.md', results))])
  if (options.publish) tell(PUBLISHED, await writePage(PUBLISHED, 'figures.md', results))
}

async function run({ quick, only, against }: Options): Promise<Results> {
  const begin = performance.now()
  const startedAt = new Date().toISOString()
  const machine = describeMachine()
  const progress = new Progress()
  const sections: SectionResult[] = []
  for (const section of SECTIONS) {
    if (only.length > 0 && !only.includes(section.name)) continue
    progress.section(section.name)
    sections.push(await measure(section, quick, progress, against))
  }
  progress.end()
  const seconds = (performance.now() - begin) / 1000
  return {
    command: 'npm run bench',
    startedAt,
    seconds,
    quick,
    machine,
    warnings: warnings(machine),
    sections,
  }
}

/** A section that fails says so in the table; the others still count. */
async function measure(
  { name, title, meaning, run }: Section,
  quick: boolean,
  progress: Progress,
  against?: string,
): Promise<SectionResult> {
  const begin = performance.now()
  const taken = () => (performance.now() - begin) / 1000
  try {
    const measured = await run(quick ? QUICK : FULL, progress, against)
    return { name, title, meaning, seconds: taken(), ...measured }
  } catch (error) {
    progress.end()
    console.error(error)
    const [why = ''] = String(error).split('\n')
    const rows = [{ ...skipped(name, why), figure: 'failed' }]
    return { name, title, meaning, seconds: taken(), rows }
  }
}

// It informs and never fails a build.
main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(0)
  },
)
