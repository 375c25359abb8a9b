import { isHopeless, isNotAllowed, redisFailure, troubleOf } from '../store/failure'
import { Outbox } from '../store/outbox'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import type { Alert, Event } from '../records/event'
import type { ReadChanges } from './many'
import { EventStream } from './stream'

const TAKE = readScript(__dirname, 'take_events')

/** How long other processes leave the events of a tenant to the process that raised them, in ms. */
const LATER = 2000

/**
 * Something to do before an event is put into the stream, where people are alerted: open its case, freeze evidence. What it
 * returns is told with the event. It may be called any number of times for an event, by several processes at once, and after
 * the event is in the stream. Where Redis does not answer it is called again; no other failure delays the event.
 */
export type BeforePublish = (tenant: string, event: Event) => Promise<object | void>

/** What a forwarder reports. */
export interface ForwarderEvents {
  /** This process has put the alert into the stream. */
  onAlert(alert: Alert): void
  /** An event, or something to do for it, has failed, and needs a person. */
  onError(message: string, error?: unknown): void
}

/**
 * Moves events in the background from the hash of the tenant, where scripts raise them, to the stream of all events. Each
 * event is put there once, in the order in which they were raised, even if several processes move them at the same time or
 * are killed. While Redis is away the events wait, in Redis.
 */
export class Forwarder {
  /** Called one after the other, in this order. */
  readonly beforePublish: BeforePublish[] = []
  readonly stream: EventStream
  private readonly outbox: Outbox
  /** Tenants whose events are being moved; `again`: look once more at the end. */
  private readonly busy = new Map<string, { again: boolean }>()
  private readonly later = new Set<string>()

  /**
   * @param whenUsable rejects while Redis must not be written to; called before each event.
   * @param changedSince see {@link EventStream}.
   */
  constructor(
    private readonly store: Store,
    private readonly whenUsable: () => Promise<void>,
    private readonly events: ForwarderEvents,
    changedSince?: ReadChanges,
  ) {
    this.stream = new EventStream(store, changedSince)
    // One errand of each tenant at most.
    this.outbox = new Outbox(store.client, Infinity, (reason) => events.onError(reason))
  }

  /** Events of the tenant wait, or may wait: moves them. Never throws; runs once at a time for each tenant. */
  pending(tenant: string): void {
    const busy = this.busy.get(tenant)
    if (busy) {
      busy.again = true
      return
    }
    const mine = { again: false }
    this.busy.set(tenant, mine)
    this.outbox.send(tenant, async () => {
      do {
        mine.again = false
        await this.forwardOr(tenant)
      } while (mine.again)
      this.busy.delete(tenant)
    })
  }

  /** The same for events that another process has raised, and most likely moves itself. */
  pendingElsewhere(tenant: string): void {
    if (this.later.has(tenant)) return
    this.later.add(tenant)
    setTimeout(
      () => {
        this.later.delete(tenant)
        this.pending(tenant)
      },
      LATER * (1 + Math.random()),
    ).unref()
  }

  /** Resolves when this process moves no events. */
  whenIdle(): Promise<void> {
    return this.outbox.whenIdle()
  }

  /** What would fail in the same way at any time is reported, and left in the hash. */
  private async forwardOr(tenant: string): Promise<void> {
    try {
      await this.whenUsable()
      await this.forward(tenant)
    } catch (error) {
      // Counting still works, so nothing else would show this.
      if (isNotAllowed(error)) this.events.onError(`events wait: ${redisFailure(error)}`)
      if (!isHopeless(error)) throw error
      this.events.onError(`events of ${tenant} are left where they are`, error)
    }
  }

  /**
   * Moves all waiting events of the tenant to the stream.
   *
   * @throws where Redis gave no answer; a second call is safe.
   */
  async forward(tenant: string): Promise<void> {
    const { client, keys } = this.store
    const key = keys.tenant(tenant)
    const waiting = await client.hget(key, 'events')
    if (!waiting) return
    const lines = waiting.split('\n')
    for (const line of lines) {
      const event = this.parse(tenant, line)
      if (event) await this.publish(tenant, event)
    }
    await this.store.run(TAKE, [key], lines)
  }

  /**
   * Puts an event into the stream, after what {@link beforePublish} does.
   *
   * @throws where Redis gave no answer, or must not be written to; a second call is safe.
   */
  async publish(tenant: string, event: Event): Promise<void> {
    const more = {}
    for (const hook of this.beforePublish) {
      try {
        Object.assign(more, await hook(tenant, event))
      } catch (error) {
        if (troubleOf(error) && !isHopeless(error)) throw error
        this.events.onError(`before the ${event.kind} event ${event.id} of ${tenant}`, error)
      }
    }
    // The stream does not depend on the tenant, and beforePublish may have taken seconds.
    await this.whenUsable()
    const alerts = await this.stream.publish(tenant, { ...event, ...more })
    for (const alert of alerts) this.events.onAlert(alert)
  }

  private parse(tenant: string, line: string): Event | undefined {
    try {
      const event = JSON.parse(line) as Partial<Event> | null
      const texts = [event?.id, event?.kind]
      if (!texts.every((text) => typeof text === 'string') || typeof event?.at !== 'number') {
        throw new Error('it is not an event')
      }
      return event as Event
    } catch (error) {
      this.events.onError(`an event of ${tenant} cannot be read: ${line.slice(0, 200)}`, error)
      return undefined
    }
  }
}
