import { Option, type Command } from 'commander'

/** The options that every command takes. */
export interface GlobalOptions {
  readonly config?: string
  readonly redis?: string
  readonly prefix?: string
  readonly by?: string
  readonly json?: boolean
  readonly color?: string
  readonly local?: boolean
  readonly pager?: boolean
}

const FLAGS: readonly (readonly [flags: string, description: string, choices?: string[]])[] = [
  [
    '--config <dir>',
    "Haraka's config directory (default: $HARAKA/config, then ./config, if only root and you can change it)",
  ],
  ['--redis <url>', 'redis://HOST:PORT/DB instead of [redis] of the ini file'],
  ['--prefix <text>', 'the prefix of every key in Redis'],
  [
    '--by <name>',
    'who makes a change, for the records (default: the OS user, before sudo); report has a --by of its own: give this one before the word report',
  ],
  ['--json', 'print JSON; `COMMAND --help` documents its fields'],
  ['--color <when>', 'auto: on a terminal; else always or never', ['auto', 'always', 'never']],
  [
    '--local',
    "times in this machine's zone; JSON and CSV are always in UTC. queue has a --local of its own: give this one before the word queue",
  ],
  ['--no-pager', 'no $TENANTCTL_PAGER or $PAGER for a long list on a terminal'],
]

class GlobalOption extends Option {}

/** Lets the program and all its commands accept the global options, before or after a subcommand. */
export function addGlobalOptions(program: Command): void {
  addTo(program, false)
}

/** @param isHidden the help of a command lists the options of the program already. */
function addTo(command: Command, isHidden: boolean): void {
  // Otherwise the program would consume a subcommand's option of the same name.
  command.enablePositionalOptions()
  for (const [flags, description, choices] of FLAGS) {
    const option = new GlobalOption(flags, description).hideHelp(isHidden)
    if (choices) option.choices(choices)
    const isTaken = command.options.some(({ long }) => long === option.long)
    if (!isTaken) command.addOption(option)
  }
  for (const below of command.commands) addTo(below, true)
}

/** The global options of a command line. Of an option given twice, the last one counts. */
export function globalOptionsOf(command: Command): GlobalOptions {
  const before = command.parent ? globalOptionsOf(command.parent) : {}
  const given = command.options
    .filter((option) => option instanceof GlobalOption)
    .map((option) => option.attributeName())
    .filter((name) => command.getOptionValueSource(name) === 'cli')
    .map((name) => [name, command.getOptionValue(name) as unknown])
  return { ...before, ...(Object.fromEntries(given) as GlobalOptions) }
}
