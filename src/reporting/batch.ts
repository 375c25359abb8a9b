import { CLASSES, UNKNOWN, USUAL_CLASS, type MailClass, type SourceClass } from '../mail/classes'
import {
  BATCH_CONNECTOR_ROWS,
  BATCH_DOMAIN_ROWS,
  BATCH_NAMES,
  BATCH_OWNED,
  BATCH_ROWS,
  BATCH_TOTALS,
  MOST_CONNECTORS,
  MOST_SAMPLED,
  MOST_SAMPLES,
} from './bounds'
import { HeaderFroms } from './header-froms'
import type { Numbers } from './numbers'
import type { Outcome } from './outcome'
import type { Room } from './room'
import { OTHER, type Source } from './rows'
import { Sources } from './sources'

/** A class whose mail is counted by source. {@link UNKNOWN} mail is classified when the batch is recorded. */
export type SourcedClass = SourceClass | typeof UNKNOWN

/** Whether mail of a class is counted by source. */
export function isSourced(of: MailClass): of is SourcedClass {
  return of === UNKNOWN || CLASSES[of].rowLetter !== undefined
}

/** What one process has counted for a tenant since its last flush. */
export class Batch {
  private static last = 0
  /** Of no other batch of the process: who keeps it keeps nothing else of a batch that was flushed. */
  readonly id = ++Batch.last
  /** Monotonic ms. */
  readonly begun = performance.now()
  ended = 0
  /** Classes that are not counted by source, by connector. */
  readonly totals = new Map<MailClass, Sources>()
  readonly sources: Sources
  /** Foreign domain and its owner, joined by a tab. */
  owned: Sources | undefined
  readonly headerFroms = new Map<MailClass, HeaderFroms>()
  /** Connector (`tenant/name`) → expiry of the certificate in ms; 0: none. */
  readonly connectors = new Map<string, number>()
  /** Row → samples of its messages. */
  readonly samples = new Map<string, string[]>()
  private lastConnector: string | undefined
  private lastExpiry = 0
  /** The counts of {@link totals} that the last message was added to, and of which mail they are. */
  private lastTotal: Numbers | undefined
  private lastTotalOf: MailClass | undefined
  private lastTotalFrom: string | undefined

  constructor(private readonly room: Room) {
    this.sources = new Sources(room)
  }

  /** Its share of the room of its process. */
  get entries(): number {
    let rows = 0
    for (const looked of this.headerFroms.values()) rows += looked.rows.size
    for (const total of this.totals.values()) rows += total.entries
    return this.sources.entries + this.samples.size + (this.owned?.entries ?? 0) + rows
  }

  /** Whether a report or a rule of unusual mail can find something in it. */
  get isOfInterest(): boolean {
    return (
      this.sources.rows.size > 0 ||
      [...this.totals.keys()].some((each) => !CLASSES[each].passes) ||
      [...this.headerFroms.values()].some(({ mismatched }) => mismatched > 0)
    )
  }

  /**
   * Counts a message of a class that is not counted by source. Runs for every registered message: most tenants have one
   * connector, which costs two comparisons.
   *
   * @param connector `tenant/name`; empty: none matched.
   */
  addTotal(of: MailClass, connector: string, outcome: Outcome): void {
    if (this.lastTotal && of === this.lastTotalOf && connector === this.lastTotalFrom) {
      this.lastTotal.add(outcome)
      return
    }
    let totals = this.totals.get(of)
    if (!totals) this.totals.set(of, (totals = new Sources(this.room)))
    const row = totals.hasRoomFor(connector, BATCH_TOTALS) ? connector : OTHER
    this.lastTotal = totals.numbersOf(row)
    this.lastTotalOf = of
    this.lastTotalFrom = connector
    this.lastTotal.add(outcome)
  }

  /** @param certificateExpires in ms; 0: the session matched without a certificate. */
  noteConnector(connector: string, certificateExpires: number): void {
    if (connector === this.lastConnector && certificateExpires === this.lastExpiry) return
    this.lastConnector = connector
    this.lastExpiry = certificateExpires
    if (this.connectors.size < MOST_CONNECTORS || this.connectors.has(connector)) {
      this.connectors.set(connector, certificateExpires)
    }
  }

  /**
   * Counts a message of a class that is counted by source.
   *
   * @param owner id of the tenant that owns the domain, if the class shows that; `undefined`: unknown.
   * @returns the counts of the source, if they are all that a further message of it changes.
   */
  addSource(
    source: Source,
    of: SourcedClass,
    outcome: Outcome,
    owner?: string,
  ): Numbers | undefined {
    const own = `${CLASSES[of].letter}\t${textOf(source)}`
    const row = this.rowFor(own, source, of)
    const numbers = this.sources.numbersOf(row)
    numbers.add(outcome)
    if (CLASSES[of].owner !== 'shown') return row === own ? numbers : undefined
    this.owned ??= new Sources(this.room)
    const owned = `${source.domain}\t${owner ?? ''}`
    this.owned.add(
      this.owned.hasRoomFor(owned, BATCH_OWNED) ? owned : `${OTHER}\t${OTHER}`,
      outcome,
    )
    return undefined
  }

  /**
   * Counts a message whose header From was checked.
   *
   * @param of its class.   @param connector `tenant/name`; empty: none matched.
   * @param mismatched the domain there that is not accepted, empty if it has none; `undefined`: it is accepted.
   */
  addHeaderFrom(of: MailClass, connector: string, mismatched: string | undefined): void {
    let headerFroms = this.headerFroms.get(of)
    if (!headerFroms) {
      headerFroms = new HeaderFroms(this.room)
      this.headerFroms.set(of, headerFroms)
    }
    headerFroms.add(connector, mismatched)
  }

  /** Whether to sample a message from this source. */
  wantsSample(source: Source, of: SourcedClass = USUAL_CLASS): boolean {
    const samples = this.samples.get(sampledRow(source, of))
    if (samples) return samples.length < MOST_SAMPLES
    return this.samples.size < MOST_SAMPLED && !this.room.isFull
  }

  addSample(source: Source, messageId: string, helo: string, of: SourcedClass = USUAL_CLASS): void {
    const row = sampledRow(source, of)
    const sample = `${messageId}\t${helo}`
    const samples = this.samples.get(row)
    if (samples) {
      samples.push(sample)
    } else {
      this.samples.set(row, [sample])
      this.room.entries++
    }
  }

  /** The row of the source, its domain, its connector, or all others: the first that exists or has room. */
  private rowFor(own: string, { domain, connector }: Source, of: SourcedClass): string {
    const { sources } = this
    if (sources.hasRoomFor(own, BATCH_ROWS)) return own
    // Rows for several sources are not classified again when they are recorded; most unknown mail is of the usual class.
    const certain = certainLetter(of)
    const ofDomain = `${certain}\t${textOf({ domain, connector, ip: OTHER, user: OTHER })}`
    if (sources.hasRoomFor(ofDomain, BATCH_DOMAIN_ROWS)) return ofDomain
    if (domain !== '') sources.name(domain, BATCH_NAMES)
    const ofConnector = `${certain}\t${textOf({ domain: OTHER, connector, ip: OTHER, user: OTHER })}`
    if (sources.hasRoomFor(ofConnector, BATCH_CONNECTOR_ROWS)) return ofConnector
    return `${certain}\t${textOf({ domain: OTHER, connector: OTHER, ip: OTHER, user: OTHER })}`
  }
}

/** Samples of unclassified mail are kept with those of the usual class. */
function sampledRow(source: Source, of: SourcedClass): string {
  return `${certainLetter(of)}\t${textOf(source)}`
}

function certainLetter(of: SourcedClass): string {
  return CLASSES[of === UNKNOWN ? USUAL_CLASS : of].letter
}

function textOf({ domain, connector, ip, user }: Source): string {
  return `${domain}\t${connector}\t${ip}\t${user}`
}
