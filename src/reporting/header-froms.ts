import { BATCH_HEADER_FROM } from './bounds'
import type { Room } from './room'
import { OTHER } from './rows'

/** Counts of checked header Froms of one class. */
export class HeaderFroms {
  /** Messages checked. */
  looked = 0
  /** Messages whose header From has no accepted domain. */
  mismatched = 0
  /** Domain and connector, joined by a tab → mismatched messages. */
  readonly rows = new Map<string, number>()

  constructor(private readonly room: Room) {}

  add(connector: string, mismatched: string | undefined): void {
    this.looked++
    if (mismatched === undefined) return
    this.mismatched++
    const row = this.rowFor(`${mismatched}\t${connector}`)
    const messages = this.rows.get(row)
    if (messages === undefined) this.room.entries++
    this.rows.set(row, (messages ?? 0) + 1)
  }

  private rowFor(own: string): string {
    if (this.rows.has(own)) return own
    const isRoom = this.rows.size < BATCH_HEADER_FROM && !this.room.isFull
    return isRoom ? own : `${OTHER}\t${OTHER}`
  }
}
