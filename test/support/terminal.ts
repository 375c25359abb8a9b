import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { scratchDir, trackGroup, untrackGroup } from '../../scripts/services/scratch'
import { findTool } from '../../scripts/services/tools'
import { waitFor } from '../../scripts/services/wait-for'

const TENANTCTL = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')

/** A shell in a real terminal (a pane of tmux), and what a person would see of it. */
export class Terminal {
  private readonly socket = path.join(scratchDir('terminal'), 'tmux')
  private readonly server: number

  /** @param cwd where the shell starts. */
  constructor({ columns = 80, rows = 24, cwd = '/' } = {}) {
    const size = ['-x', String(columns), '-y', String(rows)]
    this.tmux('-f', '/dev/null', 'new-session', '-d', ...size, '-c', cwd, "env PS1='$ ' ENV= sh")
    this.server = Number(this.tmux('display-message', '-p', '#{pid}'))
    trackGroup(this.server)
  }

  /** Types a command line of tenantctl; its exit status is printed afterwards as `status N`. */
  run(...args: string[]): void {
    const words = [process.execPath, TENANTCTL, ...args].map((word) => `'${word}'`)
    this.type(`${words.join(' ')}; echo status $?`, 'Enter')
  }

  /** Types text, or keys by their names in tmux: `Enter`, `Escape`, `Down`, `C-c`. */
  type(...keys: string[]): void {
    this.tmux('send-keys', ...keys)
  }

  /** What it shows, without blanks at the ends of lines. */
  get screen(): string {
    return this.tmux('capture-pane', '-p').trimEnd()
  }

  /** Resolves to the screen as soon as it matches. */
  async shows(pattern: RegExp): Promise<string> {
    let screen = ''
    const what = (): string => `${String(pattern)} in:\n${screen}`
    try {
      return await waitFor(() => pattern.test((screen = this.screen)) && screen, { interval: 50 })
    } catch {
      throw new Error(`still waiting for ${what()}`)
    }
  }

  resize(columns: number, rows = 24): void {
    this.tmux('resize-window', '-x', String(columns), '-y', String(rows))
  }

  /** The process that runs in the shell. */
  get child(): number {
    const shell = this.tmux('display-message', '-p', '#{pane_pid}').trim()
    return Number(execFileSync('ps', ['-o', 'pid=', '--ppid', shell]).toString())
  }

  close(): void {
    this.tmux('kill-server')
    untrackGroup(this.server)
  }

  private tmux(...args: string[]): string {
    return execFileSync(findTool('tmux'), ['-S', this.socket, ...args]).toString()
  }
}
