import { Numbers } from './numbers'
import type { Outcome } from './outcome'
import type { Room } from './room'

/** Counts by the text of a source. */
export class Sources {
  readonly rows = new Map<string, Numbers>()
  /** What has no row of its own; some of it, where it is much. */
  readonly names = new Set<string>()

  constructor(private readonly room: Room) {}

  /** Whether a row is there, or may be: there are fewer than `most`. */
  takes(row: string, most: number): boolean {
    return this.rows.has(row) || (this.rows.size < most && !this.room.isFull)
  }

  add(row: string, outcome: Outcome): void {
    let numbers = this.rows.get(row)
    if (!numbers) {
      numbers = new Numbers()
      this.rows.set(row, numbers)
      this.room.entries++
    }
    numbers.add(outcome)
  }

  /** Remembers one of those without a row, unless there are `most` of them. */
  name(name: string, most: number): void {
    if (this.names.size >= most || this.room.isFull || this.names.has(name)) return
    this.names.add(name)
    this.room.entries++
  }

  /** Rows and names. */
  get entries(): number {
    return this.rows.size + this.names.size
  }
}
