import { MOST_ENTRIES } from './bounds'

/** Counts the entries in all batches of one process. */
export class Room {
  /** Rows, names and sampled sources. */
  entries = 0

  /** Whether new sources must be counted as `(other)`. */
  get isFull(): boolean {
    return this.entries >= MOST_ENTRIES
  }
}
