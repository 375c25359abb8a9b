import {
  BATCH_CONNECTOR_ROWS,
  BATCH_DOMAIN_ROWS,
  BATCH_NAMES,
  BATCH_ROWS,
  MOST_CONNECTORS,
  MOST_SAMPLED,
  MOST_SAMPLES,
} from './bounds'
import { Numbers } from './numbers'
import type { Outcome } from './outcome'
import type { Room } from './room'
import { OTHER, type Source } from './rows'
import { Sources } from './sources'

/** `u`: the sender is unregistered; `?`: nobody could tell, and Redis looks when it takes the batch. */
export type Certainty = 'u' | '?'

/** What one process has tallied of a tenant in some seconds: what a flush brings to Redis. */
export class Batch {
  /** Monotonic ms. */
  readonly begun = performance.now()
  ended = 0
  registered: Numbers | undefined
  nulls: Numbers | undefined
  readonly sources: Sources
  /** Connector (`tenant/name`) → expiry of the certificate in ms; 0: none. */
  readonly connectors = new Map<string, number>()
  /** Source → what was said of some of its messages. */
  readonly samples = new Map<string, string[]>()
  private lastConnector: string | undefined
  private lastExpiry = 0

  constructor(private readonly room: Room) {
    this.sources = new Sources(room)
  }

  /** What it takes of the room of its process. */
  get entries(): number {
    return this.sources.entries + this.samples.size
  }

  addRegistered(outcome: Outcome): void {
    this.registered ??= new Numbers()
    this.registered.add(outcome)
  }

  addNull(outcome: Outcome): void {
    this.nulls ??= new Numbers()
    this.nulls.add(outcome)
  }

  /** @param certificateExpires in ms; 0: it was recognised by something else. */
  noteConnector(connector: string, certificateExpires: number): void {
    if (connector === this.lastConnector && certificateExpires === this.lastExpiry) return
    this.lastConnector = connector
    this.lastExpiry = certificateExpires
    if (this.connectors.size < MOST_CONNECTORS || this.connectors.has(connector)) {
      this.connectors.set(connector, certificateExpires)
    }
  }

  /** Counts a message from a source. */
  addSource(source: Source, certainty: Certainty, outcome: Outcome): void {
    this.sources.add(this.rowFor(source, certainty), outcome)
  }

  /** Whether more is to be known of a message from this source. */
  wantsSample(source: Source): boolean {
    const samples = this.samples.get(textOf(source))
    if (samples) return samples.length < MOST_SAMPLES
    return this.samples.size < MOST_SAMPLED && !this.room.isFull
  }

  addSample(source: Source, messageId: string, helo: string): void {
    const text = textOf(source)
    const sample = `${messageId}\t${helo}`
    const samples = this.samples.get(text)
    if (samples) {
      samples.push(sample)
    } else {
      this.samples.set(text, [sample])
      this.room.entries++
    }
  }

  /** The row of its own, of its domain, its connector, or everybody: the first that is there or has room. */
  private rowFor(source: Source, certainty: Certainty): string {
    const { sources } = this
    const { domain, connector } = source
    const own = `${certainty}\t${textOf(source)}`
    if (sources.takes(own, BATCH_ROWS)) return own
    // In these nobody looks any more whether the sender is registered: most likely it is not.
    const ofDomain = `u\t${textOf({ domain, connector, ip: OTHER, user: OTHER })}`
    if (sources.takes(ofDomain, BATCH_DOMAIN_ROWS)) return ofDomain
    if (domain !== '') sources.name(domain, BATCH_NAMES)
    const ofConnector = `u\t${textOf({ domain: OTHER, connector, ip: OTHER, user: OTHER })}`
    if (sources.takes(ofConnector, BATCH_CONNECTOR_ROWS)) return ofConnector
    return `u\t${textOf({ domain: OTHER, connector: OTHER, ip: OTHER, user: OTHER })}`
  }
}

function textOf({ domain, connector, ip, user }: Source): string {
  return `${domain}\t${connector}\t${ip}\t${user}`
}
