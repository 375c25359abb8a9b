import { execFileSync } from 'node:child_process'
import { findProgram } from './peer-server'

/** Debian's valgrind brings both. */
export const CALLGRIND = ['valgrind', 'callgrind_control'].every(findProgram)

/**
 * Node.js under callgrind. It counts from {@link startCounting} on: until then it runs several times as fast.
 *
 * V8 compiles as ever, but in its main thread, and there it collects the garbage, too: threads beside it would do more
 * or less of that by the time they are given. The young generation has from the start the size that it gets under load,
 * and the old one is not collected.
 */
export const UNDER_CALLGRIND = [
  ...['valgrind', '--tool=callgrind', '--instr-atstart=no', '--smc-check=all-non-file'],
  ...[process.execPath, '--single-threaded'],
  ...['--min-semi-space-size=16', '--initial-old-space-size=1024'],
] as const

/** @param pid of a process under callgrind, which translates all of its code anew for it. */
export function startCounting(pid: number): void {
  control(pid, '--instr=on')
}

/** Instructions that all threads of a process under callgrind take for `work`, without those of the kernel. */
export async function instructionsDuring(pid: number, work: () => Promise<void>): Promise<number> {
  control(pid, '--zero')
  await work()
  return instructionsIn(control(pid, '-e'))
}

/**
 * The sum of the threads.
 *
 * @param text what `callgrind_control -e` prints
 * @throws Error where there is no count in it
 */
export function instructionsIn(text: string): number {
  const counts = [...text.matchAll(/^ *Th \d+ +([\d,]+) *$/gm)]
  if (counts.length === 0) throw new Error(`callgrind_control shows no instructions:\n${text}`)
  return counts.reduce((sum, [, count = '']) => sum + Number(count.replaceAll(',', '')), 0)
}

function control(pid: number, ...args: string[]): string {
  const options = { encoding: 'utf8', stdio: 'pipe', timeout: 120_000 } as const
  return execFileSync('callgrind_control', [...args, String(pid)], options)
}
