import type { Alert } from '../records/event'
import type { DeliveryResult, DueAlert, Queue, Turn } from './queue'
import { SCHEDULE } from './schedule'

/** Alerts that wait at most; beyond that the oldest goes. */
const MOST = 100

interface Waiting {
  readonly alert: Alert
  tries: number
  /** When it is due, in ms of the clock of this host; Infinity: it is being delivered. */
  due: number
}

/** The delivery queue of one channel for alerts that cannot wait in Redis, since Redis is what they are about. */
export class MemoryQueue implements Queue {
  private readonly waiting = new Map<string, Waiting>()

  constructor(
    readonly schedule = SCHEDULE,
    private readonly now: () => number = Date.now,
  ) {}

  add(alert: Alert): void {
    const [oldest] = this.waiting.keys()
    if (oldest !== undefined && this.waiting.size >= MOST) this.waiting.delete(oldest)
    this.waiting.set(alert.id, { alert, tries: 0, due: 0 })
  }

  turn(results: ReadonlyMap<string, DeliveryResult>, room: number): Promise<Turn> {
    const now = this.now()
    for (const [id, { tries, step, countFrom = tries }] of results) {
      const waiting = this.waiting.get(id)
      if (step === 0) this.waiting.delete(id)
      else if (waiting) {
        waiting.tries = countFrom
        waiting.due = now + this.schedule.steps[step - 1]!
      }
    }
    const due: DueAlert[] = []
    for (const [id, waiting] of this.waiting) {
      if (waiting.due > now || due.length === room) continue
      waiting.tries++
      waiting.due = Infinity
      due.push({ id, tries: waiting.tries, joined: false, alert: waiting.alert })
    }
    return Promise.resolve({ now, gone: 0, due })
  }
}
