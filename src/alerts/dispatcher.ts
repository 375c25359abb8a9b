import { messageOf } from '../base/errors'
import type { Alert } from '../records/event'
import type { Store } from '../store/store'
import type { Channel, Outcome } from './channel'
import { AlertQueue, type Settled, type Taken } from './queue'
import { SCHEDULE, stepAfter, type Schedule } from './schedule'

/** Attempts of one channel that a process makes side by side. */
const MOST_AT_ONCE = 8

/** What a dispatcher tells of. */
export interface DispatcherEvents {
  onDelivered(channel: string, alert: Alert, tries: number): void
  /** It will be tried again. */
  onFailed(channel: string, alert: Alert, reason: string): void
  /** It will not be tried again. */
  onGivenUp(channel: string, alert: Alert, tries: number, reason: string): void
  /** So many were not tried at all, or cannot be told. */
  onDropped(channel: string, alerts: number, reason: string): void
  /** Redis could not be asked. */
  onError(channel: string, error: unknown): void
}

/**
 * Delivers by one channel what is in the stream of events, at least once, in this process and in all others that do the
 * same: they share the work. Never throws and never rejects.
 */
export class Dispatcher {
  private readonly queue: AlertQueue
  private readonly sending = new Set<string>()
  /** What Redis has not been told yet. */
  private readonly settled = new Map<string, Settled>()
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private turning = false
  /** The other side that has too much to do, and until when, in monotonic ms. */
  private paused = { destination: '', until: 0 }

  /** @param isUsable whether Redis holds the registry that we know: else nothing is taken. */
  constructor(
    store: Store,
    private readonly channel: Channel,
    private readonly events: DispatcherEvents,
    private readonly isUsable: () => boolean = () => true,
    private readonly schedule: Schedule = SCHEDULE,
  ) {
    this.queue = new AlertQueue(store, channel.name, schedule)
  }

  /** Looks from now on for what is to be delivered. */
  start(): void {
    this.turnLater(0)
  }

  /** Takes nothing any more; what is being sent is still settled. */
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

  /** @returns whether there may be more to take at once. */
  private async takeTurn(): Promise<boolean> {
    const room = this.room()
    if ((room === 0 && this.settled.size === 0) || !this.isUsable()) return false
    const told = new Map(this.settled)
    try {
      const { now, gone, taken } = await this.queue.turn(told, room)
      for (const [id, settled] of told) {
        if (this.settled.get(id) === settled) this.settled.delete(id)
      }
      if (gone > 0) this.events.onDropped(this.channel.name, gone, 'too old for the stream')
      this.take(taken, now)
      return taken.length > 0 && taken.length === room && this.room() > 0
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

  private take(taken: readonly Taken[], now: number): void {
    let unread = 0
    let late = 0
    for (const { id, tries, joined, alert } of taken) {
      const done = { tries, step: 0 }
      if (joined || !alert) {
        this.settled.set(id, done)
        if (!joined) unread++
      } else if (now - Date.parse(alert.at) >= this.schedule.patience) {
        this.settled.set(id, done)
        if (tries === 1) late++
        else this.events.onGivenUp(this.channel.name, alert, tries - 1, 'it is a day old')
      } else {
        this.sending.add(id)
        void this.send(id, tries, alert)
      }
    }
    if (unread > 0) this.events.onDropped(this.channel.name, unread, 'cannot be read')
    // As after a long time in which the channel was switched off: a line for all of them.
    if (late > 0) this.events.onDropped(this.channel.name, late, 'a day old before they were tried')
  }

  private async send(id: string, tries: number, alert: Alert): Promise<void> {
    const { name } = this.channel
    const destination = this.channel.destination()
    const outcome = await this.attempt(alert)
    let step = 0
    if (outcome.kind === 'failed') {
      step = stepAfter(this.schedule, tries, outcome.pause)
      if (outcome.pause !== undefined) {
        this.paused = { destination, until: performance.now() + outcome.pause }
      }
    }
    this.sending.delete(id)
    this.settled.set(id, { tries, step })
    if (outcome.kind === 'delivered') this.events.onDelivered(name, alert, tries)
    if (outcome.kind === 'failed') this.events.onFailed(name, alert, outcome.reason)
    if (outcome.kind === 'refused') this.events.onGivenUp(name, alert, tries, outcome.reason)
    // Told at once: what is not may be sent a second time, should this process end.
    if (this.stopped) void this.turn()
    else this.turnLater(0)
  }

  private async attempt(alert: Alert): Promise<Outcome> {
    try {
      return await this.channel.deliver(alert)
    } catch (error) {
      return { kind: 'failed', reason: messageOf(error) }
    }
  }
}
