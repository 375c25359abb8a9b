import { Batch } from './batch'
import { MOST_BATCHES } from './bounds'
import { Room } from './room'
import { UnattributedBatch } from './unattributed-batch'

/** Stands for all mail without a tenant: no id begins so. */
export const UNATTRIBUTED = '@unattributed'

/**
 * What a process has counted since the last flush. All of it is synchronous, in memory and bounded: what cannot be told
 * apart any more counts as `(other)`, and only what has no batch to count in is dropped.
 */
export class Tally {
  /** Called whenever something is about to be counted. */
  onCount: (() => void) | undefined
  private readonly room = new Room()
  private readonly open = new Map<string, Batch | UnattributedBatch>()
  /** Batches that have been taken and not released. */
  private taken = 0

  /** @param onDrop is told when mail of a tenant is not counted. */
  constructor(private readonly onDrop: (reason: string) => void) {}

  /** What mail of a tenant is counted in now; `undefined`: nothing, there is no room. */
  batchOf(tenant: string): Batch | undefined {
    if (this.onCount) this.onCount()
    const batch = this.open.get(tenant) as Batch | undefined
    return batch ?? this.begin(tenant, Batch)
  }

  /** The same for mail without a tenant. */
  get unattributed(): UnattributedBatch | undefined {
    if (this.onCount) this.onCount()
    const batch = this.open.get(UNATTRIBUTED) as UnattributedBatch | undefined
    return batch ?? this.begin(UNATTRIBUTED, UnattributedBatch)
  }

  /** Tenants of which something has been counted, and {@link UNATTRIBUTED}. */
  tenants(): IterableIterator<string> {
    return this.open.keys()
  }

  /** Batches and their entries that are held now. */
  get size(): { readonly batches: number; readonly entries: number } {
    return { batches: this.open.size + this.taken, entries: this.room.entries }
  }

  /** Whether batches may be ended though they cannot be flushed: half of the room is for tenants that have none. */
  get isRoomy(): boolean {
    return this.open.size + this.taken < MOST_BATCHES / 2
  }

  /** Since when a tenant's batch counts, in monotonic ms. */
  begun(tenant: string): number | undefined {
    return this.open.get(tenant)?.begun
  }

  /** Ends a tenant's batch, and hands it over until {@link release}. */
  take(tenant: string): Batch | UnattributedBatch | undefined {
    const batch = this.open.get(tenant)
    if (!batch) return undefined
    this.open.delete(tenant)
    this.taken++
    batch.ended = performance.now()
    return batch
  }

  /** A batch that was taken is done with. */
  release(batch: Batch | UnattributedBatch): void {
    this.taken--
    this.room.entries -= batch.entries
  }

  private begin<T extends Batch | UnattributedBatch>(
    tenant: string,
    Kind: new (room: Room) => T,
  ): T | undefined {
    if (this.open.size + this.taken >= MOST_BATCHES) {
      this.onDrop(`${MOST_BATCHES} batches of reports wait for Redis already`)
      return undefined
    }
    const batch = new Kind(this.room)
    this.open.set(tenant, batch)
    return batch
  }
}
