import { Option, type Command } from 'commander'

/** A person reads no more than these on a terminal; a program gets all. */
const MOST_ROWS = 1000

class AllRows extends Option {}

/** The option of a command whose table may be long. */
export function allRows(
  description = `all rows on a terminal too, not only the first ${MOST_ROWS.toLocaleString('en-US')}`,
): Option {
  return new AllRows('--all', description)
}

/** How many rows of a table a command shows on a terminal. */
export function mostRowsOf(command: Command): number {
  const canShowAll = command.options.some((option) => option instanceof AllRows)
  return canShowAll && command.getOptionValue('all') !== true ? MOST_ROWS : Infinity
}
