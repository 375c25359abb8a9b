// Measures what the plugin costs and how it scales: npm run bench -- --help
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { FULL, QUICK } from './effort'
import { describeMachine, warnings } from './machine'
import { readOptions } from './options'
import { Progress } from './progress'
import { facts, toMarkdown, toTable, verdict, type Results, type SectionResult } from './report'
import { skipped, type Section } from './row'
import { SECTIONS } from './sections'

const RESULTS = path.join(__dirname, 'results')

async function main(): Promise<void> {
  const { quick, only } = readOptions(process.argv.slice(2))
  const begin = performance.now()
  const startedAt = new Date().toISOString()
  const machine = describeMachine()
  const progress = new Progress()

  const sections: SectionResult[] = []
  for (const section of SECTIONS) {
    if (only.length > 0 && !only.includes(section.name)) continue
    progress.section(section.name)
    sections.push(await measure(section, quick, progress))
  }
  progress.end()

  const seconds = (performance.now() - begin) / 1000
  const results: Results = {
    startedAt,
    seconds,
    quick,
    machine,
    warnings: warnings(machine),
    sections,
  }
  console.log(toTable(results))
  for (const { title, meaning } of sections) console.log(`${title}. ${meaning}`)
  console.log(`\n${facts(results).join('\n')}\n\n${verdict(results)}`)
  write(results)
}

/** A section that fails says so in the table; the others still count. */
async function measure(
  { name, title, meaning, run }: Section,
  quick: boolean,
  progress: Progress,
): Promise<SectionResult> {
  try {
    return { name, title, meaning, rows: await run(quick ? QUICK : FULL, progress) }
  } catch (error) {
    progress.end()
    console.error(error)
    const [why = ''] = String(error).split('\n')
    return { name, title, meaning, rows: [{ ...skipped(name, why), figure: 'failed' }] }
  }
}

function write(results: Results): void {
  mkdirSync(RESULTS, { recursive: true })
  const base = path.join(RESULTS, 'latest')
  writeFileSync(`${base}.json`, `${JSON.stringify(results, undefined, 2)}\n`)
  writeFileSync(`${base}.md`, toMarkdown(results))
  console.log(`Written: ${path.relative(process.cwd(), base)}.json and .md`)
}

// It informs and never fails a build.
main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(0)
  },
)
