import { grouped } from '../../src/base/lists'
import {
  CLASSES,
  type KnownClass,
  type LookedClass,
  type SourceClass,
} from '../../src/mail/classes'
import type { Outcome } from '../../src/reporting/outcome'
import { lookedField, OTHER, totalField, type Source } from '../../src/reporting/rows'
import { headerFromField, ownedField, sourceField } from './report-fields'

/** The bounds that the script gets. */
export interface Bounds {
  readonly domains: number
  readonly addresses: number
  readonly users: number
  readonly rows: number
  readonly domainRows: number
  readonly connectorRows: number
  readonly sampled: number
  readonly samples: number
  readonly connectors: number
  readonly owned: number
  readonly headerFrom: number
  readonly headerFromRows: number
  readonly minuteRows: number
}

/** A message, as a process tallies it. */
export type Message =
  | { readonly kind: 'registered'; readonly connector: string; readonly outcome: Outcome }
  | { readonly kind: 'null'; readonly connector: string; readonly outcome: Outcome }
  | {
      readonly kind: 'source'
      readonly source: Source
      readonly class: SourceClass
      /** Of unregistered mail: false where the owner is unknown. */
      readonly certain: boolean
      /** Of foreign mail. */
      readonly owner: string
      readonly outcome: Outcome
    }
  | { readonly kind: 'crowded'; readonly source: Source; readonly outcome: Outcome }
  | {
      readonly kind: 'sample'
      readonly class: SourceClass
      readonly source: Source
      readonly messageId: string
      readonly helo: string
    }
  | { readonly kind: 'connector'; readonly name: string; readonly expires: number }
  | {
      readonly kind: 'looked'
      readonly of: LookedClass
      readonly connector: string
      readonly mismatched: string | undefined
    }

/** Eight numbers, and the times of the first and the last mail. */
type Sum = readonly number[]

/** Rows of an hour or a day, and the domains without their own row. */
export interface ModelReport {
  readonly rows: Map<string, Sum>
  readonly others: Set<string>
}

/** The rules of `lua/record.lua` that have applied. */
export type Coverage = Record<
  | 'domainRow'
  | 'connectorRow'
  | 'everybody'
  | 'accepted'
  | 'fullSamples'
  | 'fullSeen'
  | 'halfRoom'
  | 'fullOwned'
  | 'fullHeaderFrom'
  | 'fullHeaderFromRows'
  | 'fullMinuteRows',
  number
>

/** One tenant's recorded mail, in plain lists. */
export class ReportModel {
  readonly hours = new Map<number, ModelReport>()
  readonly days = new Map<number, ModelReport>()
  /** By day: hour and class → sum, and foreign domain and owner → sum. */
  readonly totals = new Map<number, Map<string, Sum>>()
  /** By day: hour → looked at and mismatched, and domain and connector in the header From → messages. */
  readonly looked = new Map<number, Map<string, readonly number[]>>()
  readonly samples = new Map<number, Map<string, string[]>>()
  readonly seen = new Map<string, Sum>()
  /** By hour: class and connector → minute → eight numbers. */
  readonly minutes = new Map<number, Map<string, Map<number, Sum>>>()

  /** @param isAccepted whether a domain is one of the tenant's accepted domains. */
  constructor(
    private readonly bounds: Bounds,
    private readonly isAccepted: (domain: string) => boolean,
    private readonly coverage: Coverage,
  ) {}

  /** Adds what one process has tallied from `first` to `last`, in ms. */
  add(messages: readonly Message[], first: number, last: number): void {
    const hour = Math.floor(first / 3_600_000)
    const day = Math.floor(hour / 24)
    const counts = sumsOf(messages, first, last)
    const count = (of: KnownClass, connector: string, sum: Sum): void => {
      this.total(day, totalField(hour % 24, of), sum)
      this.minute(first, of, connector, sum)
    }
    // A process keeps them class by class.
    for (const [of, totals] of grouped([...counts.totals.values()], (each) => each.class)) {
      for (const { connector, sum } of totals) count(of, connector, sum)
    }
    const sources = [...counts.sources].filter(([, { source, class: of, certain, sum }]) => {
      const isOurs = !certain && this.isAccepted(source.domain)
      if (isOurs) this.coverage.accepted++
      count(isOurs ? 'registered' : of, source.connector, sum)
      return !isOurs
    })
    for (const [field, sum] of counts.owned) this.own(day, field, sum)
    this.look(messages, day, hour)
    for (const [reports, number] of [
      [this.hours, hour],
      [this.days, day],
    ] as const) {
      if (sources.length === 0) continue
      const report = reports.get(number) ?? { rows: new Map(), others: new Set() }
      reports.set(number, report)
      for (const [, { source, class: of, sum }] of sources) this.count(report, source, of, sum)
      for (const message of messages) {
        const name = message.kind === 'crowded' ? message.source.domain : ''
        if (name !== '' && !has(report, 'domain', name)) report.others.add(name)
      }
    }
    for (const message of messages) if (message.kind === 'connector') this.use(message, first, last)
    this.addSamples(messages, day)
  }

  private count(report: ModelReport, source: Source, of: SourceClass, sum: Sum): void {
    const field = this.rowFor(report, source, of)
    const before = report.rows.get(field)
    report.rows.set(field, before ? plus(before, sum) : sum)
    const { domain } = source
    if (domain !== OTHER && !has(report, 'domain', domain)) report.others.add(domain)
  }

  private rowFor(report: ModelReport, source: Source, of: SourceClass): string {
    const { bounds, coverage } = this
    const { domain, connector } = source
    const { rows } = report
    const own = sourceField(source, of)
    if (rows.has(own)) return own
    const share = (most: number): number => (of === 'forwarded' ? Math.floor(most / 2) : most)
    const fits = (key: keyof Source, most: number): boolean =>
      has(report, key, source[key]) || distinct(report, key) < share(most)
    if (of === 'forwarded' && rows.size >= share(bounds.rows) && rows.size < bounds.rows) {
      coverage.halfRoom++
    }
    if (domain !== OTHER && fits('domain', bounds.domains)) {
      const isRoom = rows.size < share(bounds.rows)
      if (isRoom && fits('ip', bounds.addresses) && fits('user', bounds.users)) return own
      const ofDomain = sourceField({ domain, connector, ip: OTHER, user: OTHER }, of)
      if (rows.has(ofDomain) || rows.size < share(bounds.domainRows)) {
        coverage.domainRow++
        return ofDomain
      }
    }
    const ofConnector = sourceField({ domain: OTHER, connector, ip: OTHER, user: OTHER }, of)
    if (rows.has(ofConnector) || rows.size < share(bounds.connectorRows)) {
      coverage.connectorRow++
      return ofConnector
    }
    coverage.everybody++
    return sourceField({ domain: OTHER, connector: OTHER, ip: OTHER, user: OTHER }, of)
  }

  private total(day: number, field: string, sum: Sum): void {
    const totals = this.totals.get(day) ?? new Map<string, Sum>()
    this.totals.set(day, totals)
    const before = totals.get(field)
    totals.set(field, before ? plus(before, sum) : sum)
  }

  private minute(at: number, of: KnownClass, connector: string, sum: Sum): void {
    const hour = Math.floor(at / 3_600_000)
    const rows = this.minutes.get(hour) ?? new Map<string, Map<number, Sum>>()
    this.minutes.set(hour, rows)
    const own = `${CLASSES[of].letter}\t${connector}`
    const isRoom = rows.has(own) || rows.size < this.bounds.minuteRows
    if (!isRoom) this.coverage.fullMinuteRows++
    const field = isRoom ? own : `${CLASSES[of].letter}\t${OTHER}`
    const row = rows.get(field) ?? new Map<number, Sum>()
    rows.set(field, row)
    const minute = Math.floor(at / 60_000) % 60
    const before = row.get(minute) ?? []
    row.set(
      minute,
      sum.slice(0, 8).map((number, nth) => number + (before[nth] ?? 0)),
    )
  }

  private own(day: number, field: string, sum: Sum): void {
    const known = [...(this.totals.get(day)?.keys() ?? [])].filter((each) => each.startsWith('o\t'))
    const isKnown = known.includes(field)
    const others = ownedField({ domain: OTHER, owner: OTHER })
    const full = known.filter((each) => each !== others).length >= this.bounds.owned
    if (!isKnown && full) this.coverage.fullOwned++
    this.total(day, isKnown || !full ? field : others, sum)
  }

  private look(messages: readonly Message[], day: number, hour: number): void {
    for (const message of messages) {
      if (message.kind !== 'looked') continue
      const looked = this.looked.get(day) ?? new Map<string, readonly number[]>()
      this.looked.set(day, looked)
      const { of, connector, mismatched } = message
      const field = lookedField(hour % 24, of)
      const [all = 0, some = 0] = looked.get(field) ?? []
      looked.set(field, [all + 1, some + Number(mismatched !== undefined)])
      if (mismatched === undefined) continue
      const row = this.headerFromRow(looked, of, mismatched, connector)
      looked.set(row, [(looked.get(row)?.[0] ?? 0) + 1])
    }
  }

  private headerFromRow(
    looked: ReadonlyMap<string, unknown>,
    of: LookedClass,
    domain: string,
    connector: string,
  ): string {
    const { bounds, coverage } = this
    const others = headerFromField({ domain: OTHER, connector: OTHER }, of)
    const start = others.slice(0, others.indexOf('\t') + 1)
    const rows = [...looked.keys()].filter((each) => each.startsWith(start) && each !== others)
    const own = headerFromField({ domain, connector }, of)
    if (rows.includes(own) || rows.length < bounds.headerFrom) return own
    coverage.fullHeaderFrom++
    const ofConnector = headerFromField({ domain: OTHER, connector }, of)
    if (rows.includes(ofConnector) || rows.length < bounds.headerFromRows) return ofConnector
    coverage.fullHeaderFromRows++
    return others
  }

  private use(
    { name, expires }: Extract<Message, { kind: 'connector' }>,
    first: number,
    last: number,
  ): void {
    const known = this.seen.get(name)
    if (!known && this.seen.size >= this.bounds.connectors) this.coverage.fullSeen++
    else this.seen.set(name, [known?.[0] ?? first, Math.max(known?.[1] ?? last, last), expires])
  }

  private addSamples(messages: readonly Message[], day: number): void {
    for (const message of messages) {
      if (message.kind !== 'sample') continue
      const samples = this.samples.get(day) ?? new Map<string, string[]>()
      const field = sourceField(message.source, message.class)
      const known = samples.get(field) ?? []
      const most =
        message.class === 'forwarded' ? Math.floor(this.bounds.sampled / 2) : this.bounds.sampled
      const sample = `${message.messageId}\t${message.helo}`
      const isNameless = known[0]?.startsWith('\t')
      if (known.length === 0 && samples.size >= most) {
        this.coverage.fullSamples++
      } else if (known.length === 0 || (isNameless && message.messageId !== '')) {
        samples.set(field, [sample])
      } else if (message.messageId !== '' && known.length < this.bounds.samples) {
        known.push(sample)
      }
      this.samples.set(day, samples)
    }
  }
}

interface Sums {
  readonly totals: Map<string, { class: KnownClass; connector: string; sum: Sum }>
  readonly sources: Map<string, { source: Source; class: SourceClass; certain: boolean; sum: Sum }>
  readonly owned: Map<string, Sum>
}

/** A process adds up before it flushes. */
function sumsOf(messages: readonly Message[], first: number, last: number): Sums {
  const sums: Sums = { totals: new Map(), sources: new Map(), owned: new Map() }
  for (const message of messages) {
    if (message.kind === 'sample' || message.kind === 'connector') continue
    if (message.kind === 'looked') continue
    const sum = sumOf(message.outcome, first, last)
    if (message.kind === 'registered' || message.kind === 'null') {
      const { kind, connector } = message
      const key = `${kind} ${connector}`
      const before = sums.totals.get(key)
      sums.totals.set(key, { class: kind, connector, sum: before ? plus(before.sum, sum) : sum })
    } else {
      const { kind, source } = message
      const of = kind === 'crowded' ? 'unregistered' : message.class
      const certain = kind === 'crowded' || of !== 'unregistered' || message.certain
      const counted =
        kind === 'crowded' ? { ...source, domain: OTHER, ip: OTHER, user: OTHER } : source
      if (kind === 'source' && of === 'foreign') {
        const field = ownedField({ domain: source.domain, owner: message.owner })
        const before = sums.owned.get(field)
        sums.owned.set(field, before ? plus(before, sum) : sum)
      }
      const key = `${certain} ${sourceField(counted, of)}`
      const before = sums.sources.get(key)
      sums.sources.set(key, {
        ...{ source: counted, class: of, certain },
        sum: before ? plus(before.sum, sum) : sum,
      })
    }
  }
  return sums
}

function sumOf(outcome: Outcome, first: number, last: number): Sum {
  const { accepted, deferred, refused, refunded, message } = outcome
  const messages = ['accepted', 'deferred', 'refused', 'refunded'].map((each) =>
    Number(each === message),
  )
  return [accepted, deferred, refused, refunded, ...messages, first, last]
}

function plus(a: Sum, b: Sum): Sum {
  const sums = a.slice(0, 8).map((number, at) => number + b[at]!)
  return [...sums, Math.min(a[8]!, b[8]!), Math.max(a[9]!, b[9]!)]
}

const COLUMNS = { domain: 1, connector: 2, ip: 3, user: 4 } as const

function values({ rows }: ModelReport, key: keyof Source): Set<string> {
  return new Set([...rows.keys()].map((field) => field.split('\t')[COLUMNS[key]]!))
}

function has(report: ModelReport, key: keyof Source, value: string): boolean {
  return value === OTHER || values(report, key).has(value)
}

/** Without the rows for the rest. */
function distinct(report: ModelReport, key: keyof Source): number {
  const all = values(report, key)
  all.delete(OTHER)
  return all.size
}
