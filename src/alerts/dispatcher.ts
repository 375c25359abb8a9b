import { messageOf } from '../base/errors'
import type { Alert } from '../records/event'
import type { Channel, Outcome } from './channel'
import type { DeliveryResult, DueAlert, Queue } from './queue'
import { stepAfter, stepOf, type Schedule } from './schedule'

/** Concurrent attempts of one channel in one process. */
const MOST_AT_ONCE = 8

/** What a dispatcher reports. */
export interface DispatcherEvents {
  onDelivered(channel: string, alert: Alert, tries: number): void
  /** The attempt failed; another follows. */
  onFailed(channel: string, alert: Alert, reason: string): void
  /** No attempt follows. */
  onGivenUp(channel: string, alert: Alert, tries: number, reason: string): void
  /** A number of alerts was never tried, or is unreadable. */
  onDropped(channel: string, alerts: number, reason: string): void
  /** The queue did not answer; the dispatcher tries again. */
  onError(channel: string, error: unknown): void
}

/**
 * Delivers what is in a queue over one channel, each alert at least once. The dispatchers of all processes share the work on
 * a queue in Redis. Never throws and never rejects.
 */
export class Dispatcher {
  private readonly schedule: Schedule
  private readonly sending = new Set<string>()
  /** Results not yet recorded in Redis, by entry. */
  private readonly results = new Map<string, DeliveryResult>()
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private turning = false
  /** The overloaded receiver, and until when it is sent nothing, in monotonic ms. */
  private paused = { destination: '', until: 0 }

  /** @param isUsable while it is not, nothing is delivered. */
  constructor(
    private readonly queue: Queue,
    private readonly channel: Channel,
    private readonly events: DispatcherEvents,
    private readonly isUsable: () => boolean = () => true,
  ) {
    this.schedule = queue.schedule
  }

  /** Starts to deliver what is due. */
  start(): void {
    this.turnLater(0)
  }

  /** Starts no further attempts; results of running ones are still recorded. */
  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  private turnLater(delay: number): void {
    if (this.stopped) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.turn(), delay)
    this.timer.unref()
  }

  private async turn(): Promise<void> {
    if (this.turning) return
    this.turning = true
    const full = await this.takeTurn()
    this.turning = false
    this.turnLater(full ? 0 : this.schedule.interval)
  }

  /** @returns whether more may be due already. */
  private async takeTurn(): Promise<boolean> {
    const room = this.room()
    if ((room === 0 && this.results.size === 0) || !this.isUsable()) return false
    const sent = new Map(this.results)
    try {
      const { now, gone, due } = await this.queue.turn(sent, room)
      for (const [id, result] of sent) {
        if (this.results.get(id) === result) this.results.delete(id)
      }
      if (gone > 0) this.events.onDropped(this.channel.name, gone, 'too old for the stream')
      this.startAll(due, now)
      return due.length > 0 && due.length === room && this.room() > 0
    } catch (error) {
      this.events.onError(this.channel.name, error)
      return false
    }
  }

  private room(): number {
    const destination = this.channel.destination()
    const { paused } = this
    const isPaused = destination === paused.destination && performance.now() < paused.until
    if (this.stopped || destination === '' || isPaused) return 0
    return MOST_AT_ONCE - this.sending.size
  }

  private startAll(due: readonly DueAlert[], now: number): void {
    let unread = 0
    let late = 0
    for (const { id, tries, joined, alert } of due) {
      const done = { tries, step: 0 }
      if (!alert || alert.snoozed || (joined && !this.channel.takesJoined?.(alert))) {
        this.results.set(id, done)
        if (!joined) unread++
      } else if (now - Date.parse(alert.at) >= this.schedule.patience) {
        this.results.set(id, done)
        if (tries === 1) late++
        else this.events.onGivenUp(this.channel.name, alert, tries - 1, 'it is a day old')
      } else {
        this.sending.add(id)
        void this.send(id, tries, alert)
      }
    }
    if (unread > 0) this.events.onDropped(this.channel.name, unread, 'cannot be read')
    // One line for all: after a long time with the channel off there may be thousands.
    if (late > 0) this.events.onDropped(this.channel.name, late, 'a day old before they were tried')
  }

  private async send(id: string, tries: number, alert: Alert): Promise<void> {
    const { name } = this.channel
    const destination = this.channel.destination()
    const outcome = await this.attempt(alert)
    if (outcome.kind === 'failed' && outcome.pause !== undefined) {
      this.paused = { destination, until: performance.now() + outcome.pause }
    }
    this.sending.delete(id)
    this.results.set(id, this.resultOf(outcome, tries))
    if (outcome.kind === 'delivered') this.events.onDelivered(name, alert, tries)
    if (outcome.kind === 'failed') this.events.onFailed(name, alert, outcome.reason)
    if (outcome.kind === 'refused') this.events.onGivenUp(name, alert, tries, outcome.reason)
    // Recorded at once: if this process ends before, the alert is sent a second time.
    if (this.stopped) void this.turn()
    else this.turnLater(0)
  }

  private resultOf(outcome: Outcome, tries: number): DeliveryResult {
    const { schedule } = this
    if (outcome.kind === 'failed') return { tries, step: stepAfter(schedule, tries, outcome.pause) }
    if (outcome.kind !== 'waiting') return { tries, step: 0 }
    return { tries, step: stepOf(schedule, outcome.ms), countFrom: tries - 1 }
  }

  private async attempt(alert: Alert): Promise<Outcome> {
    try {
      return await this.channel.deliver(alert)
    } catch (error) {
      return { kind: 'failed', reason: messageOf(error) }
    }
  }
}
