import { Option, type Command } from 'commander'

/** A person reads no more than these on a terminal; a program gets all. */
const MOST_ROWS = 1000

class AllRows extends Option {}

/** The option of a command whose table may be long. */
export function allRows(
  description = 'all rows on a terminal too, not only the first 1,000',
): Option {
  return new AllRows('--all', description)
}

/** How many rows of a table a command shows on a terminal. */
export function mostRowsOf(command: Command): number {
  return isLongList(command) && command.getOptionValue('all') !== true ? MOST_ROWS : Infinity
}

/** Whether the command only reads, and may print more than a screen. */
export function isLongList(command: Command): boolean {
  return command.options.some((option) => option instanceof AllRows)
}
