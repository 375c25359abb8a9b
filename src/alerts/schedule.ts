const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** When failed deliveries are tried again. */
export interface Schedule {
  /** Waits after each failure in ms, ascending; the last one repeats. */
  readonly steps: readonly number[]
  /** Age of an event in ms at which it is given up. */
  readonly patience: number
  /** How long an attempt may take in ms; then its process counts as dead, and another delivers. */
  readonly lease: number
  /** How often a process looks for due alerts, in ms. */
  readonly interval: number
}

export const SCHEDULE: Schedule = {
  steps: [5 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR],
  patience: 24 * HOUR,
  lease: MINUTE,
  interval: SECOND,
}

/**
 * The step, from 1 on, to wait for after a number of tries.
 *
 * @param atLeast ms that the receiver has asked for.
 */
export function stepAfter(schedule: Schedule, tries: number, atLeast = 0): number {
  return Math.min(schedule.steps.length, Math.max(tries, stepOf(schedule, atLeast)))
}

/** The shortest step, from 1 on, that takes at least so many ms; else the longest. */
export function stepOf({ steps }: Schedule, atLeast: number): number {
  const long = steps.findIndex((step) => step >= atLeast)
  return long === -1 ? steps.length : long + 1
}
