import { spawn, type ChildProcess } from 'node:child_process'
import type { GlobalOptions } from './global-options'
import type { Io } from './io'
import { OutputError, type Device } from './stdout'

/** As git starts it: it ends by itself where all fits on one screen, shows colours, and leaves the screen as it is. */
const USUAL = { LESS: 'FRX', LV: '-c' }

/** The shell could not run the command. */
const NOT_RUN = [126, 127]

/** The pager for a long list on a terminal; `undefined`: it is printed as it is. */
export function pagerOf({ pager }: GlobalOptions, { terminal, env }: Io): string | undefined {
  if (!terminal || pager === false || env['TERM'] === 'dumb') return undefined
  const command = (env['TENANTCTL_PAGER'] ?? env['PAGER'] ?? '').trim()
  return command === '' || command === 'cat' ? undefined : command
}

/** A pager, begun with the first output: an error before it is not hidden behind an empty screen. */
export class Pager implements Device {
  private child: ChildProcess | undefined
  private status: Promise<number> | undefined

  constructor(
    private readonly command: string,
    private readonly env: Io['env'],
  ) {}

  write(octets: Buffer, done: (error?: Error | null) => void): void {
    this.child ??= this.start()
    this.child.stdin!.write(octets, done)
  }

  /** Waits until the person has left the pager. */
  async close(): Promise<void> {
    this.child?.stdin!.end()
    if (!NOT_RUN.includes((await this.status) ?? 0)) return
    throw new OutputError(
      undefined,
      `the pager "${this.command}" cannot be run: correct PAGER or TENANTCTL_PAGER, or give --no-pager`,
    )
  }

  private start(): ChildProcess {
    const child = spawn(this.command, {
      shell: true,
      stdio: ['pipe', 'inherit', 'inherit'],
      env: { ...USUAL, ...this.env },
    })
    // Each write reports its own failure.
    child.stdin.on('error', () => {})
    this.status = new Promise((resolve) => {
      child.once('error', () => resolve(NOT_RUN[0]!))
      child.once('close', (code) => resolve(code ?? 0))
    })
    // Ctrl-C is for the pager: it must not be left behind on the terminal.
    process.on('SIGINT', () => {})
    return child
  }
}
