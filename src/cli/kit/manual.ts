import type { Command } from 'commander'

/** What `--help` prints below the options. */
export interface Manual {
  /** Command lines without `tenantctl`, the most usual one first. */
  readonly examples: readonly string[]
  /** The fields of `--json`, each `name: meaning`; or what else is printed. */
  readonly json: readonly string[]
  /** Exit statuses besides 0, 1 and 2, which every command has. */
  readonly exit?: Readonly<Record<number, string>>
}

/** The same for a command that only has subcommands: one example of each. */
export function groupManual(command: Command, examples: readonly string[]): Command {
  return command.addHelpText(
    'after',
    [
      '',
      'Examples:',
      ...examples.map((example) => `  $ tenantctl ${example}`),
      '',
      `Exit statuses and the fields of --json: tenantctl ${command.name()} COMMAND --help`,
    ].join('\n'),
  )
}

const EXIT = {
  0: 'done, or nothing to do',
  1: 'failed, for example Redis cannot be reached',
  2: 'bad usage or bad input',
}

/** Adds examples, the JSON fields and the exit statuses to the help of `command`. */
export function manual(command: Command, { examples, json, exit }: Manual): Command {
  const statuses: Record<number, string> = { ...EXIT, ...exit }
  return command.addHelpText(
    'after',
    [
      '',
      'Examples:',
      ...examples.map((example) => `  $ tenantctl ${example}`),
      '',
      'With --json:',
      ...json.map((line) => `  ${line}`),
      '',
      'Exit status:',
      ...Object.entries(statuses).map(([status, meaning]) => `  ${status}  ${meaning}`),
    ].join('\n'),
  )
}
