import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { TestHaraka } from '../../scripts/services/haraka'
import { waitFor } from '../../scripts/services/wait-for'
import { COLLECT_GARBAGE } from '../garbage'

const FILE = 'witness.jsonl'

/**
 * A plugin that writes down every second what its process holds, and after SIGUSR2 what it holds when all garbage has
 * been collected.
 */
export const WITNESS = {
  name: 'soak_witness',
  text: `
const { appendFileSync } = require('node:fs')
const { monitorEventLoopDelay } = require('node:perf_hooks')
${COLLECT_GARBAGE}
const file = require('node:path').join(process.env.HARAKA, '${FILE}')
const RESOLUTION = 10
const delays = monitorEventLoopDelay({ resolution: RESOLUTION })

function write(collected) {
  const { rss, heapUsed } = process.memoryUsage()
  const handles = {}
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1
  // The timer's own pace is part of each delay.
  const ms = (ns) => Math.max(0, ns / 1e6 - RESOLUTION)
  const delay = { p99: ms(delays.percentile(99)), max: ms(delays.max) }
  delays.reset()
  const line = { at: Date.now(), pid: process.pid, collected, rss, heapUsed, handles, delay }
  appendFileSync(file, JSON.stringify(line) + '\\n')
}

let serves = false
function begin(next) {
  serves = true
  delays.enable()
  setInterval(() => write(false), 1000).unref()
  next()
}

// The master of a cluster gets the signal, too.
exports.register = function () {
  process.on('SIGUSR2', () => {
    if (!serves) return
    collectGarbage()
    // What the first collection has set free is gone after a turn of the event loop.
    setImmediate(() => {
      collectGarbage()
      write(true)
      // The collections were late themselves, which is our doing.
      setTimeout(() => delays.reset(), 2 * RESOLUTION)
    })
  })
}
exports.hook_init_child = begin
exports.hook_init_master = (next, server) => (server.cluster ? next() : begin(next))
`,
}

/** What one process of Haraka held at a moment. */
export interface Sample {
  /** ms since the epoch */
  readonly at: number
  readonly pid: number
  /** All garbage had been collected just before. */
  readonly collected: boolean
  /** bytes */
  readonly rss: number
  /** bytes */
  readonly heapUsed: number
  /** Number of what keeps the event loop alive, by kind (`process.getActiveResourcesInfo`). */
  readonly handles: Readonly<Record<string, number>>
  /** How late a timer was since the sample before, in ms; without the collections that were asked for. */
  readonly delay: { readonly p99: number; readonly max: number }
}

/** Reads what {@link WITNESS} writes in a Haraka. */
export class Witness {
  readonly #file: string

  constructor(
    private readonly haraka: TestHaraka,
    /** How many processes serve. */
    private readonly processes: number,
  ) {
    this.#file = path.join(haraka.dir, FILE)
  }

  /** All samples so far, in order. */
  samples(): Sample[] {
    if (!existsSync(this.#file)) return []
    const lines = readFileSync(this.#file, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Sample)
  }

  /** Has the garbage of all processes collected, and gives what they hold then. */
  async collect(): Promise<readonly Sample[]> {
    const before = this.samples().length
    const fresh = (): Sample[] =>
      this.samples()
        .slice(before)
        .filter(({ collected }) => collected)
    this.haraka.signal('SIGUSR2')
    await waitFor(() => fresh().length >= this.processes, { what: 'memory of all processes' })
    return fresh()
  }
}
