import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Duty } from '../base/duty'
import { readScript } from '../store/script'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'

const SERVER_TIME = readScript(__dirname, 'server_time')
const RESUME = readScript(__dirname, 'resume_windows')

/** NTP slews the clock for less, and no reply comes so late, in ms. */
const LEAST_STEP = 10_000

/** Between two batches of tenants, in ms. */
const BREATH = 500

/**
 * Detects that Redis's clock was set, and reports it. Where it was set back, the windows of all tenants go on from where
 * they are, also those of tenants that send no mail (see `allowance/lua/include/ring.lua`).
 *
 * @param onStep is called with the step in ms; below zero: back.
 */
export function followClock(store: Store, onStep: (ms: number) => void): Duty {
  /** Server time minus our monotonic clock, in ms. */
  let offset: number | undefined
  return {
    name: 'windows of a clock that was set back',
    every: 5000,
    run: async () => {
      // By a script, since the nodes of a Cluster have clocks of their own: it asks the node of its key.
      const time = Number(await store.run(SERVER_TIME, [store.keys.leader], []))
      const now = time - performance.now()
      const step = now - (offset ?? now)
      if (step <= -LEAST_STEP) await resumeWindows(store)
      // Only now: if this run fails, the next one finds the same step.
      offset = now
      if (Math.abs(step) >= LEAST_STEP) onStep(Math.round(step))
    },
  }
}

/** A step in ms, for the log. Our monotonic clock stops while the host is suspended. */
export function stepText(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000)
  return ms < 0
    ? `the clock of Redis was set back by ${seconds} s: the windows of all tenants go on from where they are`
    : `the clock of Redis was set ahead by ${seconds} s, or this host was suspended: recipients leave their windows so much earlier`
}

/** Lets the windows of all tenants go on after the clock was set back. */
export async function resumeWindows(store: Store): Promise<void> {
  const { keys } = store
  for await (const tenants of scanSet(store, keys.tenants)) {
    await Promise.all(tenants.map((tenant) => store.run(RESUME, [keys.usage(tenant)], [])))
    await sleep(BREATH, undefined, { ref: false })
  }
}
