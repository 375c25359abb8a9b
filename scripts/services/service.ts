import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { trackGroup, untrackGroup } from './scratch'
import { waitFor } from './wait-for'

/** The program to start. */
export interface ServiceOptions {
  command: string
  args: string[]
  cwd: string
  env?: NodeJS.ProcessEnv
  /** The user it runs as; default: the user of this process. */
  user?: { uid: number; gid: number }
}

/** A server in its own process group, with its output in memory. It never outlives this process. */
export class Service {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #name: string
  #log = ''
  #keeps: ((line: string) => boolean) | undefined
  #ended = false

  constructor({ command, args, cwd, env = process.env, user }: ServiceOptions) {
    this.#name = command.split('/').at(-1) ?? command
    this.#child = spawn(command, args, {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    })
    this.pid = this.#child.pid ?? 0
    if (this.pid) trackGroup(this.pid)
    // A server that was not stopped must not keep this process alive.
    this.#child.unref()
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let unfinished = ''
      stream?.setEncoding('utf8').on('data', (text: string) => {
        if (!this.#keeps) return void (this.#log += text)
        const lines = (unfinished + text).split('\n')
        unfinished = lines.pop()!
        for (const line of lines) if (this.#keeps(line)) this.#log += `${line}\n`
      })
      ;(stream as Socket | null)?.unref()
    }
    this.#child.on('error', (error) => {
      this.#log += `${error.message}\n`
      this.#end()
    })
    this.#child.on('exit', () => this.#end())
  }

  /** Its output so far, stdout and stderr in order of arrival. */
  get log(): string {
    return this.#log
  }

  /** From now on only these lines of its output are kept: minutes under load produce more than a string can hold. */
  keepOnly(keeps: (line: string) => boolean): void {
    this.#keeps = keeps
  }

  /** Whether its first process has ended. */
  get ended(): boolean {
    return this.#ended
  }

  /**
   * Waits for a matching line in the output since `from` (an earlier `log.length`).
   *
   * @throws Error with the end of the log, when the time is over or the process has ended
   */
  async waitForLog(
    pattern: RegExp,
    { from = 0, timeout = 60_000 }: { from?: number; timeout?: number } = {},
  ): Promise<RegExpMatchArray> {
    const find = () => this.#log.slice(from).match(pattern)
    await waitFor(() => this.#ended || find(), { timeout }).catch(() => {})
    const found = find()
    if (found) return found
    throw new Error(
      `${this.#name} ${this.#ended ? 'has ended' : `has run ${timeout} ms`} without writing ` +
        `${String(pattern)} in its log:\n${this.#log.split('\n').slice(-60).join('\n')}`,
    )
  }

  /** Sends a signal to all its processes; does nothing if they have ended. */
  signal(name: NodeJS.Signals): void {
    if (this.#ended) return
    try {
      process.kill(-this.pid, name)
    } catch {
      // It has ended meanwhile.
    }
  }

  /** SIGTERM, and SIGKILL after `patience` milliseconds. */
  async stop({ patience = 2_000 } = {}): Promise<void> {
    if (this.#ended) return
    const exit = this.#exit()
    const timer = setTimeout(() => this.signal('SIGKILL'), patience)
    this.signal('SIGTERM')
    await exit
    clearTimeout(timer)
  }

  /** SIGKILL; also ends stopped processes. */
  async kill(): Promise<void> {
    if (this.#ended) return
    const exit = this.#exit()
    this.signal('SIGKILL')
    await exit
  }

  #exit(): Promise<unknown> {
    this.#child.ref()
    return once(this.#child, 'exit')
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    try {
      // The first process may leave others of its group running (cluster workers).
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // Nothing was left.
    }
    untrackGroup(this.pid)
  }
}
