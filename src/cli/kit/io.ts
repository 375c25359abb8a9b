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
  /** stderr is a terminal that can renew a line: progress can be shown. */
  readonly shows: boolean
  readonly columns: number
  /**
   * Calls `stop` once at Ctrl-C or SIGTERM, which end the process at once otherwise; so does the second one.
   *
   * @returns a function after which it is not called any more.
   */
  readonly onInterrupt: (stop: () => void) => () => void
}

const COLUMNS = 100
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

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
    shows: isatty(2) && process.env['TERM'] !== 'dumb',
    onInterrupt: (stop) => {
      const forget = (): void => {
        for (const signal of SIGNALS) process.off(signal, once)
      }
      const once = (): void => {
        forget()
        stop()
      }
      for (const signal of SIGNALS) process.on(signal, once)
      return forget
    },
  }
}

/** The lines of stdin, one at a time, for a person who answers. */
export async function* linesOf({ stdin }: Io): AsyncGenerator<string, void> {
  let rest = ''
  for await (const piece of stdin) {
    const lines = (rest + String(piece)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

/** Reads stdin to its end. */
export async function readStdin({ stdin }: Io): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stdin) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}
