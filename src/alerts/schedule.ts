const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** When what has failed is tried again. */
export interface Schedule {
  /** How long to wait after each failure, in ms; the last one again and again. Ascending. */
  readonly steps: readonly number[]
  /** How long after the event it is tried no more, in ms. */
  readonly patience: number
  /** After so long, in ms, a process that was sending is taken for dead. Longer than any attempt. */
  readonly lease: number
  /** How often a process looks for what is to be sent, in ms. */
  readonly interval: number
}

export const SCHEDULE: Schedule = {
  steps: [5 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR],
  patience: 24 * HOUR,
  lease: MINUTE,
  interval: SECOND,
}

/**
 * The step, from 1 on, that waits long enough after so many tries.
 *
 * @param atLeast ms that the other side has asked for.
 */
export function stepAfter({ steps }: Schedule, tries: number, atLeast = 0): number {
  const long = steps.findIndex((step) => step >= atLeast)
  return Math.min(steps.length, Math.max(tries, long === -1 ? steps.length : long + 1))
}
