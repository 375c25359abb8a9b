import path from 'node:path'
import { Command, Option } from 'commander'
import { SECTIONS } from './sections'

/** What the command line asks for. */
export interface Options {
  readonly quick: boolean
  /** Names of sections; empty: all. */
  readonly only: readonly string[]
  /** Also into the documentation. */
  readonly publish: boolean
  /** Folder of another version of the plugin. */
  readonly against?: string
}

/** Reads the command line; for `--help` and for a mistake it writes and ends the process. */
export function readOptions(argv: readonly string[]): Options {
  const names = SECTIONS.map(({ name }) => name)
  const program = new Command('npm run bench --')
  program
    .description(
      'Measures what the plugin costs and how it scales, and says which target is missed. It starts all that it ' +
        'needs and uses no network. Table, numbers and pictures also go to bench/results/.',
    )
    .option('--quick', 'a few minutes: whether all runs, and the rough picture', false)
    .addOption(
      new Option('--only <name>', 'one section; can be given several times')
        .choices(names)
        .argParser((name: string, before: string[] = []) => {
          if (!names.includes(name))
            program.error(`there is no section "${name}": ${names.join(', ')}`)
          return [...before, name]
        }),
    )
    .option('--publish', 'also writes docs/performance/figures.md and its pictures', false)
    .option(
      '--against <folder>',
      'instructions: those of the plugin that is built in this folder, too, such as a clone of the version before',
    )
    .addHelpText(
      'after',
      `\nSections:\n${SECTIONS.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`).join('\n')}`,
    )
    .parse(argv, { from: 'user' })
  const { quick, only = [], publish, against } = program.opts<Partial<Options>>()
  if (publish && (quick || only.length > 0)) {
    program.error('--publish is for a whole run: without --quick and --only')
  }
  return {
    ...{ quick: quick === true, only, publish: publish === true },
    ...(against !== undefined && { against: path.resolve(against) }),
  }
}
