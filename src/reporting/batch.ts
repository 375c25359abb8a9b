import {
  BATCH_CONNECTOR_ROWS,
  BATCH_DOMAIN_ROWS,
  BATCH_NAMES,
  BATCH_OWNED,
  BATCH_ROWS,
  MOST_CONNECTORS,
  MOST_SAMPLED,
  MOST_SAMPLES,
} from './bounds'
import { HeaderFroms } from './header-froms'
import { Numbers } from './numbers'
import type { Outcome } from './outcome'
import type { Room } from './room'
import { OTHER, type LookedAt, type Source } from './rows'
import { Sources } from './sources'

/**
 * `u`: the sender is unregistered, `x`: foreign, `f`: the message is forwarded; `?`: nobody could tell, and Redis looks
 * when it takes the batch.
 */
export type SourceKind = 'u' | 'x' | 'f' | '?'

/** What one process has tallied of a tenant in some seconds: what a flush brings to Redis. */
export class Batch {
  /** Monotonic ms. */
  readonly begun = performance.now()
  ended = 0
  registered: Numbers | undefined
  nulls: Numbers | undefined
  readonly sources: Sources
  /** Foreign domain and its owner, joined by a tab. */
  owned: Sources | undefined
  headerFroms: HeaderFroms | undefined
  /** The same of the null sender's mail. */
  nullHeaderFroms: HeaderFroms | undefined
  /** Connector (`tenant/name`) → expiry of the certificate in ms; 0: none. */
  readonly connectors = new Map<string, number>()
  /** Row of its own → what was said of some of its messages. */
  readonly samples = new Map<string, string[]>()
  private lastConnector: string | undefined
  private lastExpiry = 0

  constructor(private readonly room: Room) {
    this.sources = new Sources(room)
  }

  /** What it takes of the room of its process. */
  get entries(): number {
    const looked = [this.headerFroms, this.nullHeaderFroms]
    const rows = looked.reduce((sum, each) => sum + (each?.rows.size ?? 0), 0)
    return this.sources.entries + this.samples.size + (this.owned?.entries ?? 0) + rows
  }

  /** Whether there is anything that a person, or a rule of unusual mail, may want to look at. */
  get isOfInterest(): boolean {
    const isMismatched = (this.headerFroms?.mismatched ?? 0) > 0
    return this.sources.rows.size > 0 || isMismatched || this.nulls !== undefined
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

  /** Counts a message from a source; of foreign mail see {@link addForeign}. */
  addSource(source: Source, kind: SourceKind, outcome: Outcome): void {
    this.sources.add(this.rowFor(source, kind), outcome)
  }

  /**
   * Counts a message from a domain that another tenant owns.
   *
   * @param owner its id; `undefined`: it is not known.
   */
  addForeign(source: Source, owner: string | undefined, outcome: Outcome): void {
    this.addSource(source, 'x', outcome)
    this.owned ??= new Sources(this.room)
    const own = `${source.domain}\t${owner ?? ''}`
    this.owned.add(this.owned.takes(own, BATCH_OWNED) ? own : `${OTHER}\t${OTHER}`, outcome)
  }

  /** Counts a message that is proven to be a forward. */
  addForwarded(source: Source, outcome: Outcome): void {
    this.addSource(source, 'f', outcome)
  }

  /**
   * Counts a message whose header From was looked at.
   *
   * @param of its class.   @param connector `tenant/name`; empty: recognised without one.
   * @param mismatched the domain there that is no accepted one, empty where it names none; `undefined`: all is well.
   */
  addHeaderFrom(of: LookedAt, connector: string, mismatched: string | undefined): void {
    const key = of === 'null' ? 'nullHeaderFroms' : 'headerFroms'
    this[key] ??= new HeaderFroms(this.room)
    this[key].add(connector, mismatched)
  }

  /** Whether more is to be known of a message from this source. */
  wantsSample(source: Source, kind: SourceKind = 'u'): boolean {
    const samples = this.samples.get(sampledRow(source, kind))
    if (samples) return samples.length < MOST_SAMPLES
    return this.samples.size < MOST_SAMPLED && !this.room.isFull
  }

  addSample(source: Source, messageId: string, helo: string, kind: SourceKind = 'u'): void {
    const row = sampledRow(source, kind)
    const sample = `${messageId}\t${helo}`
    const samples = this.samples.get(row)
    if (samples) {
      samples.push(sample)
    } else {
      this.samples.set(row, [sample])
      this.room.entries++
    }
  }

  /** The row of its own, of its domain, its connector, or everybody: the first that is there or has room. */
  private rowFor(source: Source, kind: SourceKind): string {
    const { sources } = this
    const { domain, connector } = source
    const own = `${kind}\t${textOf(source)}`
    if (sources.takes(own, BATCH_ROWS)) return own
    // In these nobody looks any more whether the sender is registered: most likely it is not.
    const certain = kind === '?' ? 'u' : kind
    const ofDomain = `${certain}\t${textOf({ domain, connector, ip: OTHER, user: OTHER })}`
    if (sources.takes(ofDomain, BATCH_DOMAIN_ROWS)) return ofDomain
    if (domain !== '') sources.name(domain, BATCH_NAMES)
    const ofConnector = `${certain}\t${textOf({ domain: OTHER, connector, ip: OTHER, user: OTHER })}`
    if (sources.takes(ofConnector, BATCH_CONNECTOR_ROWS)) return ofConnector
    return `${certain}\t${textOf({ domain: OTHER, connector: OTHER, ip: OTHER, user: OTHER })}`
  }
}

/** Samples of mail that nobody could classify are kept with those of unregistered mail. */
function sampledRow(source: Source, kind: SourceKind): string {
  return `${kind === '?' ? 'u' : kind}\t${textOf(source)}`
}

function textOf({ domain, connector, ip, user }: Source): string {
  return `${domain}\t${connector}\t${ip}\t${user}`
}
