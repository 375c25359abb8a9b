// Measures what the plugin costs and how it scales: npm run bench -- --help
import path from 'node:path'
import { Command, Option } from 'commander'
import { charges } from './charges'
import { confirm } from './confirm'
import { consolePages } from './console'
import { forwarded } from './forwarded'
import { growth } from './growth'
import { install } from './install'
import { instructions } from './instructions'
import { describeMachine } from './machine'
import { mail } from './mail'
import { memory } from './memory'
import { metrics } from './metrics'
import { withOwnBench } from './own-bench'
import { processes } from './process'
import { profile } from './profile'
import { propagation } from './propagation'
import { nodes } from './nodes'
import { present, type SectionResult } from './report'
import { skipped, type Run, type Section } from './row'
import { senders } from './senders'
import { stall } from './stall'
import { publishTargets } from './targets'
import { tenants } from './tenants'
import { top } from './top'

/** What the plugin costs a relay that uses little of it. */
const COST: readonly Section[] = [
  ...[mail, instructions, profile, processes, stall, install, withOwnBench(tenants)],
]
const SECTIONS: readonly Section[] = [
  ...COST,
  ...[senders, forwarded, charges, growth, memory, propagation],
  ...[confirm, nodes, top, metrics, consolePages],
]
/** Names for `--only`, and the sections they stand for. */
const CHOICES: Readonly<Record<string, readonly Section[]>> = {
  cost: COST,
  ...Object.fromEntries(SECTIONS.map((section) => [section.name, [section]])),
}

interface Options {
  readonly quick: boolean
  /** Keys of {@link CHOICES}. */
  readonly only?: readonly string[]
  readonly publish: boolean
  readonly against?: string
}

/** Reads the command line. For `--help` and for a mistake it prints and ends the process. */
function readOptions(): Options {
  const program = new Command('npm run bench --')
    .description(
      'Measures what the plugin costs and how it scales, and reports missed targets. It starts all that it ' +
        'needs and uses no network. Table, numbers and pictures also go to bench/results/performance/.',
    )
    .option('--quick', 'a few minutes: shows that everything works, too short for results', false)
    .addOption(new Option('--only <name...>', 'these sections').choices(Object.keys(CHOICES)))
    .option(
      '--against <folder>',
      'also measures the plugin built in this folder, such as a clone of the previous version, beside this one',
    )
    .option(
      '--publish',
      'also writes docs/performance/figures.md (cost.md with --only cost) and its pictures, and with --against the ' +
        'targets in docs/performance.md',
      false,
    )
  const list = SECTIONS.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`)
  const cost = `  ${'cost'.padEnd(12)} These: ${COST.map(({ name }) => name).join(', ')}`
  program.addHelpText('after', `\nSections:\n${[cost, ...list].join('\n')}`).parse()
  const options = program.opts<Options>()
  if (options.publish && (options.quick || (options.only && !isCost(options)))) {
    program.error('--publish is for a whole run or for --only cost, without --quick')
  }
  return options
}

function isCost({ only }: Options): boolean {
  return only?.join() === 'cost'
}

async function main(): Promise<void> {
  const options = readOptions()
  const { quick, only, publish, against } = options
  const chosen = new Set(only?.flatMap((name) => CHOICES[name] ?? []) ?? SECTIONS)
  const startedAt = new Date()
  const machine = describeMachine()
  const sections: SectionResult[] = []
  for (const section of chosen) {
    const say = (step: string): void => console.error(`${section.name}: ${step}`)
    const run = { quick, say, ...(against !== undefined && { against: path.resolve(against) }) }
    sections.push(await measure(section, run))
  }
  const seconds = secondsSince(startedAt)
  const command = `npm run bench${isCost(options) ? ' -- --only cost' : ''}`
  const about = { command, startedAt: startedAt.toISOString(), seconds, quick }
  const results = { ...about, machine, sections }
  const page = isCost(options) ? 'cost.md' : 'figures.md'
  await present(results, 'performance', publish ? page : undefined)
  if (publish && against !== undefined) await publishTargets(results)
}

/** A failed section is reported in the table; the others are valid. */
async function measure({ run, name, title, meaning }: Section, how: Run): Promise<SectionResult> {
  const begin = new Date()
  const measured = await run(how).catch((error: unknown) => {
    console.error(error)
    return { rows: [{ ...skipped(name, String(error).split('\n')[0]!), figure: 'failed' }] }
  })
  return { name, title, meaning, seconds: secondsSince(begin), ...measured }
}

function secondsSince(begin: Date): number {
  return (Date.now() - begin.getTime()) / 1_000
}

// It reports, and never fails a build.
main()
  .catch(console.error)
  .finally(() => process.exit(0))
