import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { TestHaraka } from '../scripts/services/haraka'
import { scratchDir } from '../scripts/services/scratch'
import { isInstalled } from './machine'

/** Whether callgrind is installed. */
export function hasCallgrind(): boolean {
  return ['valgrind', 'callgrind_control'].every(isInstalled)
}

/**
 * Node.js under callgrind. It counts only after {@link startCounting}: until then it runs several times as fast.
 *
 * V8 compiles and collects garbage as usual, but in the main thread: other threads would do a varying part of it. The
 * young generation has from the start the size it gets under load; the old one is not collected.
 */
export const UNDER_CALLGRIND = [
  ...['valgrind', '--tool=callgrind', '--instr-atstart=no', '--smc-check=all-non-file'],
  ...[process.execPath, '--single-threaded'],
  ...['--min-semi-space-size=16', '--initial-old-space-size=1024'],
] as const

/** The approximate slowdown of a message under callgrind. */
const SLOWER = 50

/**
 * A script for `preload` that removes variable work after {@link startCounting}:
 * - V8 optimises no more functions. Compiling one costs as much as a hundred messages, and would go on during the
 *   count.
 * - Timers are as slow as callgrind makes the process. Otherwise one message in fifty would include the periodic work
 *   of the process.
 */
export function holdStill(): string {
  const file = path.join(scratchDir('callgrind'), 'hold-still.js')
  writeFileSync(file, HOLD_STILL)
  return file
}

const HOLD_STILL = `
const promises = require('node:timers/promises')
const { setTimeout, setInterval } = globalThis
const sleep = promises.setTimeout
let slower = 1
// setTimeout treats a longer time as none.
const slow = (ms) => Math.min(ms * slower, 2 ** 31 - 1)
globalThis.setTimeout = (call, ms, ...args) => setTimeout(call, slow(ms), ...args)
promises.setTimeout = (ms, ...args) => sleep(slow(ms), ...args)
globalThis.setInterval = (call, ms, ...args) => {
  let turn = 0
  return setInterval(() => ++turn % slower === 0 && call(...args), ms)
}
process.on('SIGUSR2', () => {
  slower = ${SLOWER}
  require('node:v8').setFlagsFromString('--no-opt')
})
`

/** @param haraka started with {@link UNDER_CALLGRIND} and {@link holdStill}, and warmed up */
export function startCounting(haraka: TestHaraka): void {
  haraka.signal('SIGUSR2')
  control(haraka.pid, '--instr=on')
}

/** Instructions of all threads of a process under callgrind during `work`, without the kernel. */
export async function instructionsDuring(pid: number, work: () => Promise<void>): Promise<number> {
  control(pid, '--zero')
  await work()
  return instructionsIn(control(pid, '-e'))
}

/**
 * The sum of the threads.
 *
 * @param text what `callgrind_control -e` prints
 * @throws Error where there is no count
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
