import { Batch } from './batch'
import { MOST_BATCHES } from './bounds'
import { Room } from './room'
import { UnattributedBatch } from './unattributed-batch'

/** The key of mail without a tenant; no tenant id begins with @. */
export const UNATTRIBUTED = '@unattributed'

/**
 * The counts of a process since the last flush: synchronous, in memory and bounded. Sources beyond the bounds count as
 * `(other)`; mail is dropped only if its tenant can get no batch.
 */
export class Tally {
  /** Called before each count. */
  onCount: (() => void) | undefined
  private readonly room = new Room()
  private readonly open = new Map<string, Batch | UnattributedBatch>()
  /** Number of batches taken and not released. */
  private taken = 0

  /** @param onDrop called when mail of a tenant is not counted. */
  constructor(private readonly onDrop: (reason: string) => void) {}

  /** The open batch of a tenant; `undefined`: there is no room for one. */
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

  /** Tenants with an open batch, {@link UNATTRIBUTED} included. */
  tenants(): IterableIterator<string> {
    return this.open.keys()
  }

  /** Numbers of batches and entries in memory. */
  get size(): { readonly batches: number; readonly entries: number } {
    return { batches: this.open.size + this.taken, entries: this.room.entries }
  }

  /** Whether batches may be ended that cannot be flushed: half of the room is kept for further tenants. */
  get maySplit(): boolean {
    return this.open.size + this.taken < MOST_BATCHES / 2
  }

  /** When a tenant's open batch began, in monotonic ms. */
  begun(tenant: string): number | undefined {
    return this.open.get(tenant)?.begun
  }

  /** Ends a tenant's batch and returns it; call {@link release} when it is recorded. */
  take(tenant: string): Batch | UnattributedBatch | undefined {
    const batch = this.open.get(tenant)
    if (!batch) return undefined
    this.open.delete(tenant)
    this.taken++
    batch.ended = performance.now()
    return batch
  }

  /** Frees the room of a batch that was taken. */
  release(batch: Batch | UnattributedBatch): void {
    this.taken--
    this.room.entries -= batch.entries
  }

  private begin<T extends Batch | UnattributedBatch>(
    tenant: string,
    Kind: new (room: Room) => T,
  ): T | undefined {
    if (this.open.size + this.taken >= MOST_BATCHES) {
      this.onDrop(`${MOST_BATCHES} batches of reports already wait for Redis`)
      return undefined
    }
    const batch = new Kind(this.room)
    this.open.set(tenant, batch)
    return batch
  }
}
