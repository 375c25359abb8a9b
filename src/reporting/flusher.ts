import { randomBytes } from 'node:crypto'
import { mapLimited } from '../base/limiter'
import { isHopeless, isNotAllowed, redisFailure } from '../store/failure'
import type { Batch } from './batch'
import type { Recorded, Recorder } from './recorder'
import type { Tally } from './tally'
import type { Totals } from './totals'
import { UnattributedBatch } from './unattributed-batch'

/** How often counts are flushed to Redis, in ms. */
const FLUSH_EVERY = 5000
/** Longest batch in ms while Redis is away: its counts go to the hour in which it began. */
const LONGEST_BATCH = 300_000
/** Tenants flushed concurrently. */
const AT_ONCE = 32

/** A batch and its name, by which a second attempt is recognised. */
interface Flush {
  readonly name: string
  readonly batch: Batch | UnattributedBatch
}

/** The flushes of one tenant. */
interface Lane {
  /** Batches not acknowledged yet. Some may have been sent; they are sent again unchanged. */
  readonly flushes: Flush[]
  running: Promise<void>
  next: Promise<void> | undefined
}

/** What a flusher needs of its process. */
export interface FlusherContext {
  readonly tally: Tally
  readonly recorder: Recorder
  readonly totals: Totals
  /** Rejects or throws while Redis is away or must not be written to. */
  readonly ready: () => Promise<void>
  /** Counts are lost. */
  readonly onDrop: (reason: string) => void
  /** Counts wait until an operator acts: which, and why. */
  readonly onWait: (what: string) => void
}

/**
 * Flushes the counts of a process to Redis in the background. While Redis is away they wait in the tally. Never throws
 * and never rejects.
 */
export class Flusher {
  private readonly process = randomBytes(8).toString('hex')
  private number = 0
  private readonly lanes = new Map<string, Lane>()
  /** Tenants still to be added to the index, with the server time. */
  private readonly reported = new Map<string, number>()
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly context: FlusherContext) {}

  /** How many batches wait to be recorded. */
  get waiting(): number {
    return [...this.lanes.values()].reduce((sum, { flushes }) => sum + flushes.length, 0)
  }

  start(): void {
    this.timer ??= setInterval(() => void this.flush(), FLUSH_EVERY).unref()
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  /** Flushes all tenants and the totals; resolves when Redis has recorded them, or is away. */
  async flush(): Promise<void> {
    const tenants = new Set([...this.lanes.keys(), ...this.context.tally.tenants()])
    await mapLimited([...tenants], AT_ONCE, (tenant) => this.send(tenant))
    await this.noteReported()
    await this.indexMail()
    await this.flushTotals()
  }

  /** Flushes the counts of one tenant so far; resolves when Redis has recorded them, or is away. */
  async flushTenant(tenant: string): Promise<void> {
    await this.send(tenant)
    await this.noteReported()
    await this.indexMail()
  }

  /** Makes one attempt at a time for each tenant. Calls during an attempt share the next one. */
  private send(tenant: string): Promise<void> {
    let lane = this.lanes.get(tenant)
    if (!lane) {
      lane = { flushes: [], running: Promise.resolve(), next: undefined }
      this.lanes.set(tenant, lane)
    }
    const { running } = lane
    const attempt = (of: Lane): Promise<void> => {
      of.next = undefined
      of.running = this.attempt(tenant, of).then(() => {
        if (of.flushes.length === 0 && !of.next) this.lanes.delete(tenant)
      })
      return of.running
    }
    lane.next ??= running.then(() => attempt(lane))
    return lane.next
  }

  private async attempt(tenant: string, { flushes }: Lane): Promise<void> {
    const { tally, recorder, ready, onDrop, onWait } = this.context
    try {
      await ready()
    } catch {
      const begun = tally.begun(tenant)
      const isLong = begun !== undefined && performance.now() - begun > LONGEST_BATCH
      if (isLong && tally.maySplit) this.end(tenant, flushes)
      return
    }
    this.end(tenant, flushes)
    for (let flush = flushes[0]; flush; flush = flushes[0]) {
      const { batch, name } = flush
      try {
        const recorded =
          batch instanceof UnattributedBatch
            ? await recorder.recordUnattributed(batch, name)
            : await recorder.record(tenant, batch, name)
        this.noteLater(tenant, batch, recorded)
      } catch (error) {
        if (isNotAllowed(error)) onWait(`reports wait: ${redisFailure(error)}`)
        if (!isHopeless(error)) return
        onDrop(redisFailure(error))
      }
      flushes.shift()
      tally.release(batch)
    }
  }

  /** Ends the open batch of a tenant and queues it. */
  private end(tenant: string, flushes: Flush[]): void {
    const batch = this.context.tally.take(tenant)
    if (!batch) return
    flushes.push({ name: `${this.process} ${++this.number}`, batch })
    this.context.totals.addBatch(batch)
  }

  private async flushTotals(): Promise<void> {
    const { totals, ready, onWait } = this.context
    try {
      await ready()
      await totals.flush()
    } catch (error) {
      // The next flush adds them.
      if (!isNotAllowed(error)) return
      onWait(`counters for metrics wait: ${redisFailure(error)}: load docs/acl/plugin.acl`)
    }
  }

  /** The reports are complete without it. */
  private async indexMail(): Promise<void> {
    const { recorder, onWait } = this.context
    try {
      await recorder.mailIndex.write()
    } catch (error) {
      if (isNotAllowed(error)) onWait(`search does not find new mail: ${redisFailure(error)}`)
    }
  }

  private noteLater(tenant: string, batch: Flush['batch'], recorded: Recorded): void {
    if (recorded === 'gone' || batch instanceof UnattributedBatch || !batch.isOfInterest) return
    this.reported.set(tenant, recorded)
  }

  private async noteReported(): Promise<void> {
    if (this.reported.size === 0) return
    const noting = new Map(this.reported)
    try {
      await this.context.recorder.noteReported(noting)
    } catch {
      // The next flush adds them.
      return
    }
    for (const [tenant, time] of noting) {
      if (this.reported.get(tenant) === time) this.reported.delete(tenant)
    }
  }
}
