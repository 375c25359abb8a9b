import { setTimeout as sleep } from 'node:timers/promises'

/** Options of waitFor(). */
export interface WaitOptions {
  /** Milliseconds until it gives up; default 30 s. */
  timeout?: number
  /** Milliseconds between two looks; default 10. */
  interval?: number
  /** What is waited for, for the error. */
  what?: string
}

/** What means: not yet. */
type Nothing = false | 0 | '' | null | undefined

/**
 * Looks again and again until `condition` gives something that is true, and returns that.
 *
 * @throws Error when the time is over; an error of the last look is its cause
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
