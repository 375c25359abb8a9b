import { randomBytes } from 'node:crypto'
import { mapLimited } from '../base/limiter'
import { isHopeless, isNotAllowed, redisFailure } from '../store/failure'
import type { Batch } from './batch'
import type { Recorded, Recorder } from './recorder'
import type { Tally } from './tally'
import { UnattributedBatch } from './unattributed-batch'

/** How often what has been tallied is flushed, in ms. */
const FLUSH_EVERY = 5000
/** What cannot be flushed is counted in hours that are right to so many ms. */
const LONGEST_BATCH = 300_000
/** Tenants that are flushed at the same time. */
const AT_ONCE = 32

/** One batch with what it is called when it is sent, and sent again. */
interface Flush {
  readonly name: string
  readonly batch: Batch | UnattributedBatch
}

/** What waits of one tenant. */
interface Lane {
  /** Ended, perhaps sent, and not answered: sent again as they are. */
  readonly flushes: Flush[]
  running: Promise<void>
  next: Promise<void> | undefined
}

/** What a flusher needs of the process that it is part of. */
export interface FlusherContext {
  readonly tally: Tally
  readonly recorder: Recorder
  /** @throws or rejects: nothing must be written now, or Redis is away. */
  readonly ready: () => Promise<void>
  /** Something was not recorded, and will not be. */
  readonly onDrop: (reason: string) => void
  /** Something is not recorded until an operator sees to it, though mail is counted. */
  readonly onWait: (reason: string) => void
}

/**
 * Brings what was tallied to Redis, in the background: never throws and never rejects. While Redis is away it waits in
 * the tally.
 */
export class Flusher {
  private readonly process = randomBytes(8).toString('hex')
  private number = 0
  private readonly lanes = new Map<string, Lane>()
  /** Tenants that are to be put into the index, with the server time. */
  private readonly reported = new Map<string, number>()
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly context: FlusherContext) {}

  start(): void {
    this.timer ??= setInterval(() => void this.flush(), FLUSH_EVERY).unref()
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  /** Flushes all; resolves when Redis has taken it, or is found away. */
  async flush(): Promise<void> {
    const tenants = new Set([...this.lanes.keys(), ...this.context.tally.tenants()])
    await mapLimited([...tenants], AT_ONCE, (tenant) => this.send(tenant))
    await this.noteReported()
  }

  /** Flushes what has been tallied of one tenant by now; resolves when Redis has taken it, or is found away. */
  async flushTenant(tenant: string): Promise<void> {
    await this.send(tenant)
    await this.noteReported()
  }

  /** One attempt at a time for each tenant; whoever asks while one is under way waits for the next, with all others. */
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
      if (isLong && tally.isRoomy) this.end(tenant, flushes)
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
        if (isNotAllowed(error)) onWait(redisFailure(error))
        if (!isHopeless(error)) return
        onDrop(redisFailure(error))
      }
      flushes.shift()
      tally.release(batch)
    }
  }

  /** Ends what is being tallied: from here on it is one flush. */
  private end(tenant: string, flushes: Flush[]): void {
    const batch = this.context.tally.take(tenant)
    if (batch) flushes.push({ name: `${this.process} ${++this.number}`, batch })
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
      // The next flush does it.
      return
    }
    for (const [tenant, time] of noting) {
      if (this.reported.get(tenant) === time) this.reported.delete(tenant)
    }
  }
}
