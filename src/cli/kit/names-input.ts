import { InputError } from '../../base/errors'
import { readStdin, type Io } from './io'

/**
 * The names of a command line. `-` reads names from stdin, one or more a line; `#` begins a comment.
 *
 * @throws {InputError} where there are none.
 */
export async function readNames(args: readonly string[], io: Io): Promise<string[]> {
  const lists: string[][] = []
  for (const arg of args)
    lists.push(arg === '-' ? namesIn((await readStdin(io)).toString('utf8')) : [arg])
  const names = lists.flat()
  if (names.length === 0) {
    throw new InputError('stdin holds no names: give one a line, or name them in the command')
  }
  return names
}

function namesIn(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => line.replace(/#.*/, '').split(/\s+/))
    .filter((name) => name !== '')
}
