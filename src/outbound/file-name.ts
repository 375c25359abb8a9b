/** What the name of a file in Haraka's queue says. */
export interface QueueName {
  /** The same over all renames of a message. */
  readonly id: string
  /** When it came, ms since the epoch. */
  readonly arrived: number
  /** When Haraka has tried, or tries next. Mail that is held keeps what it had. */
  readonly nextAttempt: number
  /** How often its delivery has failed. */
  readonly failures: number
}

const NAME = /^(\d+)_(\d+)_(\d+)_\d+_([^_]+)_\d+_([^_]+)$/

/** What a file is called that Haraka is writing; it removes those of a crash when it starts (`outbound/qfile.js`). */
export const UNFINISHED = '__tmp__.'

/**
 * Reads `arrival_nextattempt_failures_pid_unique_counter_host` (Haraka `outbound/qfile.js`). `undefined`: it is another
 * file, such as one that is being written.
 */
export function parseQueueName(name: string): QueueName | undefined {
  const match = NAME.exec(name)
  if (!match) return undefined
  const [, arrived, nextAttempt, failures, unique, host] = match
  return {
    id: `${arrived}_${unique}_${host}`,
    arrived: Number(arrived),
    nextAttempt: Number(nextAttempt),
    failures: Number(failures),
  }
}
