import { messageOf } from '../errors'
import { errorCode } from './failure'
import type { Client } from './store'

const RETRY_AFTER = 1000
const REFUSALS: ReadonlySet<string | undefined> = new Set(['WRONGTYPE', 'NOPERM', 'ERR'])

/** Work for Redis that nobody waits for, and that may be done twice. */
export type Errand = () => Promise<unknown>

/**
 * Runs errands in the background; those that Redis did not answer wait here, up to a bound, until it does.
 * Never throws and never rejects.
 */
export class Outbox {
  private readonly waiting: Errand[] = []
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

  /** Does `errand` as soon as Redis answers. */
  send(errand: Errand): void {
    this.undone++
    void this.attempt(errand).then((done) => {
      if (done) this.finish()
      else this.keep(errand)
    })
  }

  /** Resolves when nothing is left to do. */
  whenIdle(): Promise<void> {
    if (this.undone === 0) return Promise.resolve()
    return new Promise((resolve) => this.idle.push(resolve))
  }

  private keep(errand: Errand): void {
    if (this.waiting.length >= this.bound) {
      this.onDrop(`${this.bound} wait for Redis already`)
      this.finish()
      return
    }
    this.waiting.push(errand)
    this.retryLater()
  }

  private async attempt(errand: Errand): Promise<boolean> {
    try {
      await errand()
      return true
    } catch (error) {
      if (!isRefusal(error)) return false
      // Redis answered: asking again would give the same answer.
      this.onDrop(messageOf(error))
      return true
    }
  }

  private async drain(): Promise<void> {
    if (this.draining) return
    this.draining = true
    while (this.waiting.length > 0) {
      const errand = this.waiting[0]!
      if (!(await this.attempt(errand))) break
      this.waiting.shift()
      this.finish()
    }
    this.draining = false
    if (this.waiting.length > 0) this.retryLater()
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

/** Whether Redis took the command and refused it for good, such as WRONGTYPE; not LOADING, READONLY and the like. */
function isRefusal(error: unknown): boolean {
  return REFUSALS.has(errorCode(error))
}
