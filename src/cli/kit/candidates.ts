import type { Argument, Command, Option } from 'commander'
import { globalOptionsOf, type GlobalOptions } from './global-options'

/** The words that can stand in a place, or that it is for a tenant; nothing where it is for anything, such as a file. */
export type Expected = readonly string[] | 'tenant'

/** What the last of `words` can be, and the global options before it. */
export interface Expectation {
  readonly expected: Expected
  readonly options: GlobalOptions
}

/**
 * What a command line can go on with.
 *
 * @param program with the command that `words` name.
 * @param words behind `tenantctl`; the last one is being typed, and may be empty.
 */
export function expectationOf(program: Command, words: readonly string[]): Expectation {
  let command = program
  let operands = 0
  let awaiting: Option | undefined
  for (const word of words.slice(0, -1)) {
    if (awaiting) {
      set(command, awaiting, word)
      awaiting = undefined
    } else if (word.startsWith('-')) {
      const option = optionOf(command, word)
      if (!option) continue
      if (takesValue(option) && !word.includes('=')) awaiting = option
      else set(command, option, valueIn(word, option))
    } else {
      const below = command.commands.find((each) => each.name() === word)
      if (below) command = below
      else operands++
    }
  }
  const current = words.at(-1) ?? ''
  const expected = awaiting ? valueOf(awaiting) : wordOf(command, operands, current)
  return { expected, options: globalOptionsOf(command) }
}

function wordOf(command: Command, operands: number, current: string): Expected {
  if (current.startsWith('-')) {
    const flags = lineOf(command).flatMap(({ options }) => options.map(({ long }) => long))
    return [...new Set(['--help', ...flags.filter((flag) => flag !== undefined)])]
  }
  if (command.commands.length > 0) {
    return command.commands.map((each) => each.name())
  }
  const { registeredArguments: all } = command
  const last = all.at(-1)
  const argument = all[operands] ?? (last?.variadic ? last : undefined)
  return argument ? valueOf(argument) : []
}

function valueOf(of: Option | Argument): Expected {
  if (of.argChoices) return of.argChoices
  const isTenant = 'flags' in of ? of.flags.includes('<tenant>') : /tenant|case/.test(of.name())
  return isTenant ? 'tenant' : []
}

/** A command and those above it. */
function lineOf(command: Command): Command[] {
  return command.parent ? [command, ...lineOf(command.parent)] : [command]
}

function optionOf(command: Command, word: string): Option | undefined {
  const [flag] = word.split('=')
  return command.options.find(({ long, short }) => flag === long || flag === short)
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional
}

function valueIn(word: string, option: Option): unknown {
  return takesValue(option) ? word.slice(word.indexOf('=') + 1) : true
}

function set(command: Command, option: Option, value: unknown): void {
  command.setOptionValueWithSource(option.attributeName(), value, 'cli')
}
