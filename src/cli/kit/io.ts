import { stdin, stderr } from 'node:process'
import { isatty } from 'node:tty'
import { Stdout, stdoutDevice } from './stdout'

/** The world outside of a command. A test passes its own. */
export interface Io {
  readonly stdin: AsyncIterable<Buffer | string>
  readonly stdout: Stdout
  readonly stderr: { write(text: string): unknown }
  readonly env: Readonly<Record<string, string | undefined>>
  /** The directory that relative paths start from. */
  readonly cwd: string
  /** stdout is a terminal: colours and its width may be used. */
  readonly terminal: boolean
  /** Somebody sits at stdin, and can be asked. */
  readonly asks: boolean
  readonly columns: number
  /** Resolves when the user ends it by Ctrl-C. Until it is asked for, that ends the process at once. */
  readonly interrupted: () => Promise<void>
}

const COLUMNS = 100

/** The world of this process. */
export function processIo(): Io {
  const stdout = new Stdout(stdoutDevice())
  const terminal = isatty(1)
  return {
    stdin,
    stdout,
    stderr,
    env: process.env,
    cwd: process.cwd(),
    terminal,
    asks: stdin.isTTY === true,
    columns: (terminal && process.stdout.columns) || COLUMNS,
    interrupted: () =>
      new Promise((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => resolve())
      }),
  }
}

/** All that comes on stdin. */
export async function readStdin({ stdin }: Io): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stdin) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}
