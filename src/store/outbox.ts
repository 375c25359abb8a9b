import { isHopeless, redisFailure } from './failure'
import type { Client } from './store'

const RETRY_AFTER = 1000
/** After so many lanes in a row that Redis did not answer for, it is taken to be away as a whole. */
const MOST_FAILURES = 10

/** Work for Redis that nobody waits for, and that may be done twice. */
export type Errand = () => Promise<unknown>

/**
 * Runs errands in the background; those that Redis did not answer, or cannot do now, wait here, up to a bound, until it
 * does. Never throws and never rejects.
 *
 * They wait in lanes, each in order: in a Cluster Redis may be away for one tenant and not for the others.
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
   * @param bound errands that wait at most; what comes then is dropped, and said.
   * @param onDrop is told why each dropped errand was not done.
   */
  constructor(
    client: Client,
    private readonly bound: number,
    private readonly onDrop: (reason: string) => void,
  ) {
    client.on('ready', () => void this.drain())
  }

  /** Errands that are not done yet. */
  get size(): number {
    return this.undone
  }

  /**
   * Does `errand` as soon as Redis answers.
   *
   * @param lane names whose keys it is about: the tenant.
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
      // What Redis refuses for its own state (or its ACL) is mended by somebody, and done then.
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

  /** @returns whether all of it was done. */
  private async drainLane(lane: string, errands: Errand[]): Promise<boolean> {
    while (errands.length > 0) {
      if (!(await this.attempt(errands[0]!))) {
        // To the end, so that the next round begins with others.
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
