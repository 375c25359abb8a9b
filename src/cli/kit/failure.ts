import { CommanderError, type Command } from 'commander'
import { FileMistakes, InputError, messageOf, UserError } from '../../base/errors'
import { clean } from '../../base/safe-text'

/** The message on stderr, and the exit status. */
export interface Failure {
  /** One line; several only for a file with several mistakes. */
  readonly message: string
  readonly status: number
}

/** Redis cannot be reached: status 1, with what to do. */
export class StoreError extends UserError {
  constructor(message: string) {
    super(message, 1)
  }
}

/**
 * What was thrown, as a message and an exit status: a {@link UserError} knows its own, anything else
 * is 1. `undefined` where nothing failed: commander also throws after `--help` and `--version`.
 */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof CommanderError && error.exitCode === 0) return undefined
  if (error instanceof FileMistakes) {
    return { message: error.message.split('\n').map(clean).join('\n'), status: error.exitStatus }
  }
  // An argument in the message may hold a line break.
  if (error instanceof UserError) return { message: clean(error.message), status: error.exitStatus }
  return { message: `unexpected: ${clean(messageOf(error))}`, status: 1 }
}

/** Makes `command` and its subcommands throw an {@link InputError} that names the right `--help`. */
export function throwUsageErrors(command: Command): void {
  command.exitOverride((error) => {
    if (error.exitCode === 0) throw error
    throw new InputError(`${problemOf(error, command)}; see ${pathOf(command)} --help`)
  })
  command.commands.forEach(throwUsageErrors)
}

function problemOf(error: CommanderError, command: Command): string {
  if (error.code === 'commander.help') {
    if (!command.parent) return 'a command is missing'
    return `a command is missing, one of ${command.commands.map((each) => each.name()).join(', ')}`
  }
  return clean(error.message.replace(/^error: /, '')).replace(/\.$/, '')
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
}
