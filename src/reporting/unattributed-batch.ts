import { BATCH_NAMES, BATCH_ROWS } from './bounds'
import type { Outcome } from './outcome'
import type { Room } from './room'
import { OTHER, unattributedField, type UnattributedSource } from './rows'
import { Sources } from './sources'

const OTHERS = unattributedField({ ip: OTHER, user: OTHER, certificate: OTHER })

/** What one process has counted of mail without a tenant since its last flush. */
export class UnattributedBatch {
  /** Monotonic ms. */
  readonly begun = performance.now()
  ended = 0
  readonly sources: Sources

  constructor(room: Room) {
    this.sources = new Sources(room)
  }

  get entries(): number {
    return this.sources.entries
  }

  add(source: UnattributedSource, outcome: Outcome): void {
    const { sources } = this
    const own = unattributedField(source)
    if (sources.hasRoomFor(own, BATCH_ROWS)) {
      sources.add(own, outcome)
    } else {
      sources.name(own, BATCH_NAMES)
      sources.add(OTHERS, outcome)
    }
  }
}
