/** The parts of the name of a file in Haraka's queue. */
export interface QueueName {
  /** Stays the same when Haraka renames the file. */
  readonly id: string
  /** When the message was received, in ms since the epoch. */
  readonly arrived: number
  /** The last or next attempt, in ms since the epoch. Held mail keeps the time of its last attempt. */
  readonly nextAttempt: number
  /** How often its delivery has failed. */
  readonly failures: number
}

const NAME = /^(\d+)_(\d+)_(\d+)_\d+_([^_]+)_\d+_[^_]+$/

/** Prefix of files that Haraka is writing; it removes them after a crash (`outbound/qfile.js`). */
export const UNFINISHED = '__tmp__.'

/**
 * Parses `arrival_nextattempt_failures_pid_unique_counter_host` (Haraka `outbound/qfile.js`). `undefined`: another file,
 * such as one that is being written.
 */
export function parseQueueName(name: string): QueueName | undefined {
  const match = NAME.exec(name)
  if (!match) return undefined
  const [, arrived, nextAttempt, failures, unique] = match
  return {
    // Not by the host: a container that starts again has another name, by which Haraka renames all files.
    id: `${arrived}_${unique}`,
    arrived: Number(arrived),
    nextAttempt: Number(nextAttempt),
    failures: Number(failures),
  }
}
