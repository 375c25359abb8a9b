import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { scratchDir } from '../../scripts/services/scratch'
import { processIo } from '../../src/cli/kit/io'
import { createProgram } from '../../src/cli/program'
import { Stdout, type Device } from '../../src/cli/kit/stdout'
import { main } from '../../src/cli/tenantctl'
import { CONFIG_FILE } from '../../src/process/config-file'

/** An ini file by which forwards are told apart. */
export const FORWARDS_ON = '[forwarded]\nenabled=true\n'

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
  /** Receives each write to stderr. */
  readonly onErr?: (text: string) => void
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
    stderr: {
      write: (text) => {
        err += text
        world.onErr?.(text)
      },
    },
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
  private readonly global: readonly string[]

  /** @param ini of the config directory; `undefined`: there is none. */
  constructor(
    readonly redis: string,
    ini?: string,
    readonly prefix = `t${++prefixes}:`,
  ) {
    this.global = ['--redis', this.redis, '--prefix', this.prefix]
    if (ini === undefined) return
    const directory = scratchDir('config')
    writeFileSync(path.join(directory, CONFIG_FILE), ini)
    this.global = [...this.global, '--config', directory]
  }

  run(...args: string[]): Promise<Result> {
    return this.runIn({}, ...args)
  }

  runIn(world: World, ...args: string[]): Promise<Result> {
    return tenantctl([...this.global, ...args], world)
  }

  /** The same registry, by the ini file of another host. */
  elsewhere(ini: string): Cli {
    return new Cli(this.redis, ini, this.prefix)
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

/** The answer of a change where no Haraka process has reported, without what it says of that. */
export function unconfirmed(answer: unknown): object {
  const { confirmed, ...change } = answer as { confirmed: { of: number; not_asked: null } }
  if (confirmed.of > 0 || confirmed.not_asked !== null) throw new Error(JSON.stringify(confirmed))
  return change
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
