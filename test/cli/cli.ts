import { Readable } from 'node:stream'
import { processIo } from '../../src/cli/kit/io'
import { createProgram } from '../../src/cli/program'
import { Stdout, type Device } from '../../src/cli/kit/stdout'
import { main } from '../../src/cli/tenantctl'

/** The result of a command line. */
export interface Result {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** What differs from the default environment of a command line. */
export interface World {
  readonly stdin?: string | AsyncIterable<string>
  readonly env?: Record<string, string>
  readonly cwd?: string
  readonly terminal?: boolean
  /** stdin is a terminal. */
  readonly asks?: boolean
  /** stderr is a terminal. */
  readonly shows?: boolean
  readonly columns?: number
  /** Aborting it is Ctrl-C. */
  readonly interrupt?: AbortSignal
  /** Receives each write to stdout. */
  readonly onOut?: (text: string) => void
  /** The device behind stdout. */
  readonly device?: Device
}

/** Runs `tenantctl` in this process. */
export async function tenantctl(args: readonly string[], world: World = {}): Promise<Result> {
  const { stdin = '' } = world
  let out = ''
  let err = ''
  const print = (octets: Buffer, done: () => void): void => {
    out += octets.toString()
    world.onOut?.(octets.toString())
    done()
  }
  const status = await main(args, {
    stdin: Readable.from(typeof stdin === 'string' ? [Buffer.from(stdin)] : stdin),
    stdout: new Stdout(world.device ?? { write: print, close: () => {} }),
    stderr: { write: (text) => (err += text) },
    env: world.env ?? { SUDO_USER: 'ann' },
    cwd: world.cwd ?? '/',
    terminal: world.terminal ?? false,
    asks: world.asks ?? false,
    shows: world.shows ?? false,
    columns: world.columns ?? 100,
    onInterrupt: (stop) => {
      world.interrupt?.addEventListener('abort', stop, { once: true })
      return () => world.interrupt?.removeEventListener('abort', stop)
    },
  })
  return { status, out, err }
}

let prefixes = 0

/** `tenantctl` on one Redis, under its own key prefix. */
export class Cli {
  readonly prefix = `t${++prefixes}:`

  constructor(readonly redis: string) {}

  run(...args: string[]): Promise<Result> {
    return this.runIn({}, ...args)
  }

  runIn(world: World, ...args: string[]): Promise<Result> {
    return tenantctl(['--redis', this.redis, '--prefix', this.prefix, ...args], world)
  }

  /** Runs a command that must succeed, and reads its JSON. */
  async json(...args: string[]): Promise<unknown> {
    const { status, out, err } = await this.run(...args, '--json')
    if (status !== 0) throw new Error(`${args.join(' ')}: ${status} ${err}`)
    return JSON.parse(out)
  }

  /** Runs commands that must succeed, each one line. */
  async given(...lines: string[]): Promise<void> {
    for (const line of lines) {
      const { status, err } = await this.run(...line.split(' '))
      if (status !== 0) throw new Error(`${line}: ${status} ${err}`)
    }
  }
}

/** The error output without the notes about `--redis` and about a registry that begins. */
export function errorOf({ err }: Result): string {
  return err.replace(/^tenantctl: (?:--redis without --config|.* holds no registry: ).*\n/gm, '')
}

/** Every command that does something, without the groups. */
export function leaves(): string[] {
  const program = createProgram(processIo(), () => {})
  const below = ({ commands }: typeof program, words: string[]): string[] =>
    commands.length === 0
      ? [words.join(' ')]
      : commands.flatMap((each) => below(each, [...words, each.name()]))
  return below(program, [])
}
