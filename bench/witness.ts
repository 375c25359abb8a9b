import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { TestHaraka } from '../scripts/services/haraka'
import { waitFor } from '../scripts/services/wait-for'

const FILE = 'witness.jsonl'

/** A plugin: on SIGUSR2 each serving process collects all garbage, and records its memory. */
export const WITNESS = {
  name: 'bench_witness',
  text: `
const { appendFileSync } = require('node:fs')
const { monitorEventLoopDelay } = require('node:perf_hooks')
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const file = require('node:path').join(process.env.HARAKA, '${FILE}')
const delays = monitorEventLoopDelay()
delays.enable()
let serves = false

// The master of a cluster gets the signal too.
exports.register = () => {
  process.on('SIGUSR2', () => {
    if (!serves) return
    const late = delays.max / 1e6
    collectGarbage()
    // Objects released by the first collection are freed after a turn of the event loop.
    setImmediate(() => {
      collectGarbage()
      const { rss, heapUsed } = process.memoryUsage()
      const handles = process.getActiveResourcesInfo().length
      appendFileSync(file, JSON.stringify({ pid: process.pid, rss, heapUsed, handles, late }) + '\\n')
      // The collections were late themselves.
      setTimeout(() => delays.reset(), 20)
    })
  })
}
exports.hook_init_child = (next) => { serves = true; next() }
exports.hook_init_master = (next, server) => { serves = !server.cluster; next() }
`,
}

/** The memory of one process of Haraka. */
export interface Held {
  readonly pid: number
  /** Resident memory, in bytes. */
  readonly rss: number
  /** Heap in use, in bytes. */
  readonly heapUsed: number
  /** Resources that keep the event loop alive. */
  readonly handles: number
  /** The greatest delay of a timer since the last measurement, in ms. */
  readonly late: number
}

/** Collects the garbage of all processes, and returns their memory, by process id. */
export async function heldBy(haraka: TestHaraka, processes = 1): Promise<readonly Held[]> {
  const file = path.join(haraka.dir, FILE)
  const read = (): Held[] => {
    if (!existsSync(file)) return []
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Held)
  }
  const before = read().length
  haraka.signal('SIGUSR2')
  await waitFor(() => read().length === before + processes, { what: 'memory of all processes' })
  return read()
    .slice(before)
    .sort((a, b) => a.pid - b.pid)
}
