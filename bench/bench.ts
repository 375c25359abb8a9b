// Measures what the plugin costs and how it scales: npm run bench -- --help
import path from 'node:path'
import { Command, Option } from 'commander'
import { charges } from './charges'
import { forwarded } from './forwarded'
import { growth } from './growth'
import { instructions } from './instructions'
import { describeMachine } from './machine'
import { mail } from './mail'
import { memory } from './memory'
import { profile } from './profile'
import { propagation } from './propagation'
import { present, type SectionResult } from './report'
import { skipped, type Run, type Section } from './row'
import { senders } from './senders'
import { tenants } from './tenants'

const SECTIONS: readonly Section[] = [
  ...[mail, senders, forwarded, profile, instructions],
  ...[charges, tenants, growth, memory, propagation],
]

interface Options {
  readonly quick: boolean
  /** Names of sections. */
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
    .addOption(
      new Option('--only <name...>', 'these sections').choices(SECTIONS.map(({ name }) => name)),
    )
    .option('--publish', 'also writes docs/performance/figures.md and its pictures', false)
    .option(
      '--against <folder>',
      'instructions: also those of the plugin built in this folder, such as a clone of the previous version',
    )
  const list = SECTIONS.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`)
  program.addHelpText('after', `\nSections:\n${list.join('\n')}`).parse()
  const options = program.opts<Options>()
  if (options.publish && (options.quick || options.only)) {
    program.error('--publish is for a whole run: without --quick and --only')
  }
  return options
}

async function main(): Promise<void> {
  const { quick, only, publish, against } = readOptions()
  const startedAt = new Date()
  const machine = describeMachine()
  const sections: SectionResult[] = []
  for (const section of SECTIONS.filter(({ name }) => only?.includes(name) ?? true)) {
    const say = (step: string): void => console.error(`${section.name}: ${step}`)
    const run = { quick, say, ...(against !== undefined && { against: path.resolve(against) }) }
    sections.push(await measure(section, run))
  }
  const seconds = secondsSince(startedAt)
  const about = { command: 'npm run bench', startedAt: startedAt.toISOString(), seconds, quick }
  await present({ ...about, machine, sections }, 'performance', publish)
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
