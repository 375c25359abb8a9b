import { MOST_ENTRIES } from './bounds'

/** How much the batches of one process hold together. */
export class Room {
  /** Rows, names and sampled sources. */
  entries = 0

  /** Whether nothing new may be told apart any more. */
  get isFull(): boolean {
    return this.entries >= MOST_ENTRIES
  }
}
