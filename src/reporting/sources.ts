import { Numbers } from './numbers'
import type { Outcome } from './outcome'
import type { Room } from './room'

/** Counts by source. */
export class Sources {
  readonly rows = new Map<string, Numbers>()
  /** Names without their own row, up to a bound. */
  readonly names = new Set<string>()

  constructor(private readonly room: Room) {}

  /** Whether a row exists or may be added: there are fewer than `most`. */
  hasRoomFor(row: string, most: number): boolean {
    return this.rows.has(row) || (this.rows.size < most && !this.room.isFull)
  }

  add(row: string, outcome: Outcome): void {
    this.numbersOf(row).add(outcome)
  }

  /** The counts of a row; a new row is added. */
  numbersOf(row: string): Numbers {
    let numbers = this.rows.get(row)
    if (!numbers) {
      numbers = new Numbers()
      this.rows.set(row, numbers)
      this.room.entries++
    }
    return numbers
  }

  /** Keeps a name without a row, up to `most` of them. */
  name(name: string, most: number): void {
    if (this.names.size >= most || this.room.isFull || this.names.has(name)) return
    this.names.add(name)
    this.room.entries++
  }

  get entries(): number {
    return this.rows.size + this.names.size
  }
}
