import { performance } from 'node:perf_hooks'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { randomToken } from '../records/token'

const WATCH = readScript(__dirname, 'watch')

/** How often the lock is asked for, or renewed, and it is looked which tasks are due, in ms. */
const PERIOD = 1000
/** After so many periods without the holder another one takes its place. */
const PATIENCE = 5
/** Lets the lock go, in ms. */
const NO_LONGER = 1

/** Something that is to be done now and then, by one process of all Harakas. */
export interface Task {
  /** Stands before its errors. */
  readonly name: string
  /** How long after one run ends the next one begins, in ms. */
  readonly every: number
  /**
   * Must bear it that another process runs it at the same time: one that hung, or was cut off, may go on when its lock
   * has expired. What it rejects with is told, and it runs again when it is due.
   */
  run(): Promise<unknown>
}

/**
 * Sees to it that the tasks of all Harakas on one Redis are run by one process: the one that holds a lock, which expires
 * without it. If it stops, the next one takes over within a second; if it is killed, in {@link PATIENCE} seconds.
 */
export class Watch {
  private readonly tasks: { readonly task: Task; due: number; running: boolean }[] = []
  private readonly id = randomToken()
  private timer: NodeJS.Timeout | undefined
  private asking = false
  /** Until when the lock is ours, by our monotonic clock. */
  private until = -Infinity

  /**
   * @param whenUsable rejects where Redis must not be written to by now; told elsewhere.
   * @param onError is told what a task failed with; that Redis cannot be asked for the lock is told elsewhere.
   * @param period in ms.
   */
  constructor(
    private readonly store: Store,
    private readonly whenUsable: () => Promise<void>,
    private readonly onError: (task: string, error: unknown) => void,
    private readonly period = PERIOD,
  ) {}

  /** Whether this is the process that runs the tasks. */
  get holds(): boolean {
    return performance.now() < this.until
  }

  /** At any time; it runs for the first time when this process gets the lock. */
  add(task: Task): void {
    this.tasks.push({ task, due: -Infinity, running: false })
  }

  /** Begins to ask for the lock. */
  start(): void {
    if (this.timer) return
    this.timer = setInterval(() => void this.look(), this.period).unref()
    void this.look()
  }

  /** Runs no more tasks, and lets the next process take over; a task that runs goes on to its end. */
  stop(): void {
    if (!this.timer) return
    clearInterval(this.timer)
    this.timer = undefined
    if (this.holds) void this.ask(NO_LONGER).catch(() => {})
    this.until = -Infinity
  }

  /** Never rejects. */
  private async look(): Promise<void> {
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
    const span = PATIENCE * this.period
    try {
      const ours = await this.ask(span)
      this.until = ours && this.timer ? asked + span : -Infinity
      // An answer that came too late to stop() has taken the lock again.
      if (ours && !this.timer) void this.ask(NO_LONGER).catch(() => {})
    } catch {
      // The lock is ours until it expires.
    }
  }

  private async ask(span: number): Promise<boolean> {
    return (await this.store.run(WATCH, [this.store.keys.watch], [this.id, span])) === 1
  }

  private runDue(): void {
    for (const each of this.tasks) {
      if (!this.holds || each.running || performance.now() < each.due) continue
      each.running = true
      void this.run(each.task).finally(() => {
        each.running = false
        each.due = performance.now() + each.task.every
      })
    }
  }

  private async run(task: Task): Promise<void> {
    try {
      await task.run()
    } catch (error) {
      this.onError(task.name, error)
    }
  }
}
