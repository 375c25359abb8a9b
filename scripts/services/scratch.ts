import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

// Everything that is started is in one scratch folder of this process, which also lists the running process groups.
// All of it is removed when this process ends, in any way.
let scratch: string | undefined

/** A new, empty folder that is removed when this process ends. */
export function scratchDir(name: string): string {
  return mkdtempSync(path.join(root(), `${name}-`))
}

/** Registers a process group that must not outlive this process. */
export function trackGroup(pid: number): void {
  writeFileSync(path.join(root(), 'groups', String(pid)), '')
}

/** Forgets a process group that has ended, before its number is given to another. */
export function untrackGroup(pid: number): void {
  if (scratch) rmSync(path.join(scratch, 'groups', String(pid)), { force: true })
}

function root(): string {
  if (scratch) return scratch
  const dir = mkdtempSync(path.join(tmpdir(), 'unregistered-domain-'))
  mkdirSync(path.join(dir, 'groups'))
  scratch = dir
  process.once('exit', () => cleanUp(dir))
  guard(dir)
  return dir
}

function cleanUp(dir: string): void {
  for (const group of readdirSync(path.join(dir, 'groups'))) {
    try {
      // SIGKILL also ends stopped processes.
      process.kill(-Number(group), 'SIGKILL')
    } catch {
      // It has ended already.
    }
  }
  rmSync(dir, { recursive: true, force: true, maxRetries: 3 })
}

/**
 * Does the work of cleanUp() when this process cannot (SIGKILL, SIGINT without a handler): a small shell in its own
 * session waits for the end of its stdin.
 */
function guard(dir: string): void {
  const script = `
    trap '' HUP INT TERM
    cat >/dev/null
    [ -d "$1" ] || exit 0
    for group in "$1"/groups/*; do kill -s KILL -- "-\${group##*/}"; done
    rm -rf "$1" || { sleep 1; rm -rf "$1"; }`
  const shell = spawn('/bin/sh', ['-c', script, 'guard', dir], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  const { stdin } = shell
  stdin.on('error', () => {})
  ;(stdin as unknown as { unref(): void }).unref()
}
