import { isHopeless, redisFailure } from './failure'
import type { Client } from './store'

const RETRY_AFTER = 1000
/** When Redis has not answered for this many lanes in a row, it is considered away. */
const MOST_FAILURES = 10

/** Work for Redis in the background, which may be done twice. */
export type Errand = () => Promise<unknown>

/**
 * Runs errands in the background. Those that Redis did not answer, or cannot do now, wait here, up to a bound, and are tried
 * again. Never throws and never rejects.
 *
 * They wait in lanes, each in order: a Cluster may be away for one tenant and not for the others.
 */
export class Outbox {
  /** The longest waiting lane comes first; none is empty. */
  private readonly lanes = new Map<string, Errand[]>()
  private waiting = 0
  private undone = 0
  private draining = false
  private timer: NodeJS.Timeout | undefined
  private readonly idle: (() => void)[] = []

  /**
   * @param bound errands that wait at most; a further one is dropped, and reported.
   * @param onDrop is called with the reason for each dropped errand.
   */
  constructor(
    client: Client,
    private readonly bound: number,
    private readonly onDrop: (reason: string) => void,
  ) {
    client.on('ready', () => void this.drain())
  }

  /** Errands not done yet. */
  get size(): number {
    return this.undone
  }

  /**
   * Does `errand` as soon as Redis answers.
   *
   * @param lane the tenant whose keys it uses.
   */
  send(lane: string, errand: Errand): void {
    this.undone++
    void this.attempt(errand).then((done) => {
      if (done) this.finish()
      else this.keep(lane, errand)
    })
  }

  /** Resolves when nothing is left to do. */
  whenIdle(): Promise<void> {
    if (this.undone === 0) return Promise.resolve()
    return new Promise((resolve) => this.idle.push(resolve))
  }

  private keep(lane: string, errand: Errand): void {
    if (this.waiting >= this.bound) {
      this.onDrop(`${this.bound} wait for Redis already`)
      this.finish()
      return
    }
    this.waiting++
    const errands = this.lanes.get(lane)
    if (errands) errands.push(errand)
    else this.lanes.set(lane, [errand])
    this.retryLater()
  }

  private async attempt(errand: Errand): Promise<boolean> {
    try {
      await errand()
      return true
    } catch (error) {
      // A person corrects the state of Redis, or its ACL, and then it is done.
      if (!isHopeless(error)) return false
      this.onDrop(redisFailure(error))
      return true
    }
  }

  private async drain(): Promise<void> {
    if (this.draining) return
    this.draining = true
    let failures = 0
    for (const [lane, errands] of [...this.lanes]) {
      failures = (await this.drainLane(lane, errands)) ? 0 : failures + 1
      if (failures === MOST_FAILURES) break
    }
    this.draining = false
    if (this.waiting > 0) this.retryLater()
  }

  /** @returns whether the lane is empty. */
  private async drainLane(lane: string, errands: Errand[]): Promise<boolean> {
    while (errands.length > 0) {
      if (!(await this.attempt(errands[0]!))) {
        // To the end, so that the next round begins with another lane.
        this.lanes.delete(lane)
        this.lanes.set(lane, errands)
        return false
      }
      errands.shift()
      this.waiting--
      this.finish()
    }
    this.lanes.delete(lane)
    return true
  }

  private retryLater(): void {
    if (this.timer) return
    this.timer = setTimeout(() => {
      this.timer = undefined
      void this.drain()
    }, RETRY_AFTER)
    this.timer.unref()
  }

  private finish(): void {
    this.undone--
    if (this.undone === 0) for (const resolve of this.idle.splice(0)) resolve()
  }
}
