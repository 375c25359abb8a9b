import { Command, Option } from 'commander'
import { SECTIONS } from './sections'

/** What the command line asks for. */
export interface Options {
  readonly quick: boolean
  /** Names of sections; empty: all. */
  readonly only: readonly string[]
}

/** Reads the command line; for `--help` and for a mistake it writes and ends the process. */
export function readOptions(argv: readonly string[]): Options {
  const names = SECTIONS.map(({ name }) => name)
  const program = new Command('npm run bench --')
  program
    .description(
      'Measures what the plugin costs and how it scales, and says which target is missed. It starts all that it ' +
        'needs and uses no network. The results also go to bench/results/.',
    )
    .option('--quick', 'under a minute: whether all runs, and the rough picture', false)
    .addOption(
      new Option('--only <name>', 'one section; can be given several times')
        .choices(names)
        .argParser((name: string, before: string[] = []) => {
          if (!names.includes(name))
            program.error(`there is no section "${name}": ${names.join(', ')}`)
          return [...before, name]
        }),
    )
    .addHelpText(
      'after',
      `\nSections:\n${SECTIONS.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`).join('\n')}`,
    )
    .parse(argv, { from: 'user' })
  const { quick, only = [] } = program.opts<{ quick: boolean; only?: string[] }>()
  return { quick, only }
}
