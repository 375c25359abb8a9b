import { InputError } from '../errors'
import type { Io } from './io'

/**
 * The names of a command line, where `-` stands for those on stdin: one or more a line, `#` begins a comment.
 *
 * @throws {InputError} where there are none.
 */
export async function readNames(args: readonly string[], io: Io): Promise<string[]> {
  const lists: string[][] = []
  for (const arg of args) lists.push(arg === '-' ? namesIn(await readAll(io.stdin)) : [arg])
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

async function readAll(stdin: AsyncIterable<Buffer | string>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stdin) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces).toString('utf8')
}
