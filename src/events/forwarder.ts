import { isHopeless, isNotAllowed, redisFailure, troubleOf } from '../store/failure'
import { Outbox } from '../store/outbox'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import type { Alert, Event } from '../records/event'
import { EventStream } from './stream'

const TAKE = readScript(__dirname, 'take_events')

/** How long others leave the events of a tenant to the process that raised them, in ms. */
const LATER = 2000

/**
 * Something to be done before an event is in the stream, where it is told to people: open its case, freeze evidence. It
 * may be called for an event any number of times, by several processes at once, and after the event is in the stream.
 * Where Redis does not answer it is called again; any other failure of it does not keep the event back.
 */
export type BeforePublish = (tenant: string, event: Event) => Promise<unknown>

/** What a forwarder tells of. */
export interface ForwarderEvents {
  /** This process has put the alert into the stream. */
  onAlert(alert: Alert): void
  /** An event, or what belongs to it, is not as it should be, and will not be by itself. */
  onError(message: string, error?: unknown): void
}

/**
 * Takes events from where scripts raise them, in the hash of the tenant, to the stream of all, in the background. Each
 * gets there once, in the order in which they were raised, however many processes do it at the same time and wherever
 * they are cut off. While Redis is away they wait, in Redis.
 */
export class Forwarder {
  /** Called one after the other, in this order. */
  readonly beforePublish: BeforePublish[] = []
  readonly stream: EventStream
  private readonly outbox: Outbox
  /** Tenants that are seen to, with whether to look once more at the end. */
  private readonly busy = new Map<string, { again: boolean }>()
  private readonly later = new Set<string>()

  /** @param whenUsable rejects where Redis must not be written to by now; asked again before each event. */
  constructor(
    private readonly store: Store,
    private readonly whenUsable: () => Promise<void>,
    private readonly events: ForwarderEvents,
  ) {
    this.stream = new EventStream(store)
    // Of each tenant one errand at most.
    this.outbox = new Outbox(store.client, Infinity, (reason) => events.onError(reason))
  }

  /** Events of the tenant wait, or may wait. Never throws; one process looks after a tenant once at a time. */
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

  /** The same for events that another process has raised, and most likely sees to by itself. */
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

  /** Resolves when this process sees to no tenant any more. */
  whenIdle(): Promise<void> {
    return this.outbox.whenIdle()
  }

  /** What would fail in the same way at any time is told, and left. */
  private async forwardOr(tenant: string): Promise<void> {
    try {
      await this.whenUsable()
      await this.forward(tenant)
    } catch (error) {
      // Mail is counted all the same, so nothing else would show it.
      if (isNotAllowed(error)) this.events.onError(`events wait: ${redisFailure(error)}`)
      if (!isHopeless(error)) throw error
      this.events.onError(`events of ${tenant} are left where they are`, error)
    }
  }

  /**
   * Takes all events of the tenant that wait now to the stream.
   *
   * @throws where Redis gave no answer; calling it again is safe.
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
   * Puts an event into the stream, after what is to be done before.
   *
   * @throws where Redis gave no answer, or must not be written to; calling it again is safe.
   */
  async publish(tenant: string, event: Event): Promise<void> {
    for (const hook of this.beforePublish) {
      try {
        await hook(tenant, event)
      } catch (error) {
        if (troubleOf(error) && !isHopeless(error)) throw error
        this.events.onError(`before the ${event.kind} event ${event.id} of ${tenant}`, error)
      }
    }
    // The stream knows nothing of tenants, and what was done before may have taken seconds.
    await this.whenUsable()
    const alert = await this.stream.publish(tenant, event)
    if (alert) this.events.onAlert(alert)
  }

  private parse(tenant: string, line: string): Event | undefined {
    try {
      const event = JSON.parse(line) as Partial<Event> | null
      const texts = [event?.id, event?.kind]
      if (!texts.every((text) => typeof text === 'string') || typeof event?.at !== 'number') {
        throw new Error('it is none')
      }
      return event as Event
    } catch (error) {
      this.events.onError(`an event of ${tenant} cannot be read: ${line.slice(0, 200)}`, error)
      return undefined
    }
  }
}
