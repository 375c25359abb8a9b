import { setTimeout as sleep } from 'node:timers/promises'

/** Options of waitFor(). */
export interface WaitOptions {
  /** Milliseconds until it gives up; default 30 s. */
  timeout?: number
  /** Milliseconds between two checks; default 10. */
  interval?: number
  /** Description for the error. */
  what?: string
}

/** The values that mean "not yet". */
type Nothing = false | 0 | '' | null | undefined

/**
 * Calls `condition` repeatedly until it returns a true value, and returns that.
 *
 * @throws Error when the time is over, caused by the error of the last check
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeout = 30_000, interval = 10, what = String(condition) }: WaitOptions = {},
): Promise<Exclude<T, Nothing>> {
  const deadline = performance.now() + timeout
  for (;;) {
    let cause: unknown
    try {
      const value = await condition()
      if (value) return value as Exclude<T, Nothing>
    } catch (error) {
      cause = error
    }
    if (performance.now() > deadline) {
      throw new Error(`after ${timeout} ms still waiting for: ${what}`, { cause })
    }
    await sleep(interval)
  }
}
