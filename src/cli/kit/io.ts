import { stdin, stderr } from 'node:process'
import { isatty } from 'node:tty'
import { Stdout, stdoutDevice } from './stdout'

/** Input, output and environment of a command. A test passes its own. */
export interface Io {
  readonly stdin: AsyncIterable<Buffer | string>
  readonly stdout: Stdout
  readonly stderr: { write(text: string): unknown }
  readonly env: Readonly<Record<string, string | undefined>>
  /** The directory that relative paths start from. */
  readonly cwd: string
  /** stdout is a terminal: colours and its width may be used. */
  readonly terminal: boolean
  /** stdin is a terminal: questions can be asked. */
  readonly asks: boolean
  readonly columns: number
  /** Resolves at Ctrl-C. Before this is called, Ctrl-C ends the process at once. */
  readonly interrupted: () => Promise<void>
}

const COLUMNS = 100

/** Input and output of this process. */
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

/** Reads stdin to its end. */
export async function readStdin({ stdin }: Io): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stdin) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}
