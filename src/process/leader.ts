import { performance } from 'node:perf_hooks'
import type { Duty } from '../base/duty'
import { randomToken } from '../records/token'
import { readScript } from '../store/script'
import type { Store } from '../store/store'

const LEAD = readScript(__dirname, 'lead')

/** How often the lock is asked for or renewed, and due duties are started, in ms. */
const PERIOD = 1000
/** The lock expires after this many periods. */
const PERIODS_OF_LOCK = 5
/** Releases the lock, in ms. */
const AT_ONCE = 1

/**
 * Runs the duties of all Harakas on one Redis in one process, the leader: the one that holds a lock, which expires unless
 * it is renewed. When the leader stops, another process leads within a second; when it is killed, within five.
 */
export class Leader {
  private readonly duties: { readonly duty: Duty; due: number; running: boolean }[] = []
  private readonly id = randomToken()
  private timer: NodeJS.Timeout | undefined
  private asking = false
  /** Until when this process holds the lock, by the monotonic clock. */
  private until = -Infinity

  /**
   * @param whenUsable rejects while Redis must not be written to; that is reported elsewhere.
   * @param onError is called with what a duty failed with; that Redis does not answer is reported elsewhere.
   * @param period in ms.
   */
  constructor(
    private readonly store: Store,
    private readonly whenUsable: () => Promise<void>,
    private readonly onError: (duty: string, error: unknown) => void,
    private readonly period = PERIOD,
  ) {}

  /** Whether this process is the leader. */
  get isLeading(): boolean {
    return performance.now() < this.until
  }

  /** Adds a duty, at any time; it runs for the first time once this process leads. */
  add(duty: Duty): void {
    this.duties.push({ duty, due: -Infinity, running: false })
  }

  /** Begins to ask for the lock. */
  start(): void {
    if (this.timer) return
    this.timer = setInterval(() => void this.turn(), this.period).unref()
    void this.turn()
  }

  /** Starts no more duties and releases the lock; a running duty is completed. */
  stop(): void {
    if (!this.timer) return
    clearInterval(this.timer)
    this.timer = undefined
    if (this.isLeading) void this.lead(AT_ONCE).catch(() => {})
    this.until = -Infinity
  }

  /** Never rejects. */
  private async turn(): Promise<void> {
    if (this.asking) return
    this.asking = true
    try {
      await this.whenUsable()
      await this.askForLock()
      this.runDue()
    } catch {
      // The next turn asks again.
    } finally {
      this.asking = false
    }
  }

  private async askForLock(): Promise<void> {
    const asked = performance.now()
    const span = PERIODS_OF_LOCK * this.period
    try {
      const leads = await this.lead(span)
      this.until = leads && this.timer ? asked + span : -Infinity
      // stop() came before the answer, which has taken the lock again.
      if (leads && !this.timer) void this.lead(AT_ONCE).catch(() => {})
    } catch {
      // The lock is held until it expires.
    }
  }

  private async lead(span: number): Promise<boolean> {
    return (await this.store.run(LEAD, [this.store.keys.leader], [this.id, span])) === 1
  }

  private runDue(): void {
    for (const each of this.duties) {
      if (!this.isLeading || each.running || performance.now() < each.due) continue
      each.running = true
      void this.run(each.duty).finally(() => {
        each.running = false
        each.due = performance.now() + each.duty.every
      })
    }
  }

  private async run(duty: Duty): Promise<void> {
    try {
      await duty.run()
    } catch (error) {
      this.onError(duty.name, error)
    }
  }
}
