import { setImmediate } from 'node:timers/promises'
import {
  CLASSES,
  KNOWN_CLASSES,
  LOOKED_CLASSES,
  lookedKey,
  SOURCE_CLASSES,
  USUAL_CLASS,
  type KnownClass,
  type LookedKey,
  type SourceClass,
} from '../mail/classes'
import { DAY, HOUR, startOf } from './calendar'
import { sumOf, type Counts } from './counts'
import { passes, type Filter } from './filter'
import { readForeign } from './foreign'
import { grouped } from '../base/lists'
import { headerFromSpan, readHeaderFroms, type HeaderFrom } from './header-from'
import type { DatedRow, DatedSample, HourReport, ReportReader } from './reader'
import { OTHER, type Source } from './rows'
import { recipients, total, type Dimension } from './sum'

/** A report has a line for each combination of their values. */
export type Dimensions = readonly Dimension[]

/** The parameters of a report. */
export interface Query {
  /** ms of Redis's clock: `from` ≤ t < `to`. */
  readonly from: number
  readonly to: number
  /** Which rows are added up; hourly rows are kept for a short time only. */
  readonly step: 'hour' | 'day'
  readonly by: Dimensions
  readonly filters: readonly Filter[]
}

/** All mail by class; of classes counted by source, only what passes the filters. */
export type Totals = Readonly<Record<KnownClass, Counts>>

/** One line of a report: mail of one class. */
export interface ReportLine {
  /** The values that the line is for; of a day or an hour, its start in ms. */
  readonly key: Partial<Source> & {
    readonly class?: SourceClass
    readonly day?: number
    readonly hour?: number
  }
  readonly class: SourceClass
  readonly counts: Counts
  /** Share of all accepted recipients of the tenant in that time; `undefined`: there were none. */
  readonly share: number | undefined
  /** All mail of that hour or day, if the report is by these alone. */
  readonly all: Totals | undefined
  /** Most recipients first. */
  readonly ips: readonly string[]
  readonly users: readonly string[]
  readonly domains: readonly string[]
  /** The tenants that own its domains, if the class shows them. */
  readonly owners: readonly string[]
  /** The newest first. */
  readonly samples: readonly DatedSample[]
  /** Estimated number of domains, for a line of `(other)`. */
  readonly distinctDomains: number | undefined
}

/** Checked header Froms by class; `undefined` if there are filters. */
export type LookedAt = Readonly<Record<LookedKey, HeaderFrom | undefined>>

/** The report of one tenant. */
export interface TenantReport extends LookedAt {
  readonly tenant: string
  readonly totals: Totals
  /** Share of what passes the filters. */
  readonly share: number | undefined
  /** Estimated number of domains without their own row. */
  readonly otherDomains: number
  readonly lines: readonly ReportLine[]
}

/** Whether a report needs rows by source; else it uses the totals of hours. */
export function needsRows(by: Dimensions, filters: readonly Filter[]): boolean {
  return filters.length > 0 || by.some((each) => each !== 'hour' && each !== 'day')
}

/** Makes the report for a query. */
export async function readReport(
  reader: ReportReader,
  tenant: string,
  query: Query,
): Promise<TenantReport> {
  const { from, to, by, filters, step } = query
  const days = headerFromSpan(from, to)
  const wholeDays = await reader.hours(tenant, days.from, days.to)
  const hours = wholeDays.filter(({ at }) => at >= startOf(from, HOUR) && at < to)
  const all = totalsOf(hours)
  const looked = await readLooked(filters.length === 0, wholeDays, reader, tenant, from, to)
  if (!needsRows(by, filters)) {
    const length = by[0] === 'hour' ? HOUR : DAY
    const otherDomains = await reader.others(tenant, from, to, step)
    const lines = grouped(hours, ({ at }) => startOf(at, length)).map(([at, some]) =>
      lineOfHours(by[0] === 'hour' ? { hour: at } : { day: at }, totalsOf(some)),
    )
    const share = shareOf(sourcedIn(all), all)
    return { tenant, totals: all, share, otherDomains, ...looked, lines }
  }
  const rows = (await reader.rows(tenant, from, to, by.includes('hour') ? 'hour' : step)).filter(
    (row) => passes(row, filters),
  )
  const samples = by.includes('hour')
    ? []
    : (await reader.samples(tenant, from, to)).filter((sample) => passes(sample, filters))
  const hasOwners = rows.some((row) => showsOwner(row.class))
  const owners = hasOwners ? await ownersBy(reader, tenant, from, to) : new Map<string, string[]>()
  const lines = await linesOf(rows, samples, hours, by, owners)
  const byClass = new Map(grouped(rows, (row) => row.class))
  const sourced = SOURCE_CLASSES.map((each) => [each, total(byClass.get(each) ?? [])])
  const totals: Totals = { ...all, ...(Object.fromEntries(sourced) as Pick<Totals, SourceClass>) }
  // The estimate is for all rows together, so it fits no other filter.
  const mixed = filters.some(({ key }) => key !== 'domain')
  const hasOther = !mixed && rows.some(({ domain }) => domain === OTHER)
  return {
    tenant,
    totals,
    share: shareOf(sourcedIn(totals), all),
    otherDomains: hasOther ? await reader.others(tenant, from, to, step) : 0,
    ...looked,
    lines: hasOther ? await withDistinct(reader, tenant, query, lines) : lines,
  }
}

async function readLooked(
  isWanted: boolean,
  hours: readonly HourReport[],
  ...question: [reader: ReportReader, tenant: string, from: number, to: number]
): Promise<LookedAt> {
  const found: [LookedKey, HeaderFrom | undefined][] = []
  for (const each of LOOKED_CLASSES) {
    const looked = isWanted ? await readHeaderFroms(...question, each, hours) : undefined
    found.push([lookedKey(each), looked])
  }
  return Object.fromEntries(found) as LookedAt
}

/** All mail of some hours. */
export function totalsOf(hours: readonly HourReport[]): Totals {
  const sum = (of: KnownClass): Counts => sumOf(hours.map((hour) => hour[of]))
  return Object.fromEntries(KNOWN_CLASSES.map((each) => [each, sum(each)])) as Totals
}

/** Sum of the classes counted by source. */
export function sourcedIn(totals: Totals): Counts {
  return sumOf(SOURCE_CLASSES.map((each) => totals[each]))
}

/** Share of all accepted recipients; `undefined`: there were none. */
export function shareOf({ accepted }: Counts, all: Totals): number | undefined {
  const sum = KNOWN_CLASSES.reduce((accepted, each) => accepted + all[each].accepted, 0)
  return sum === 0 ? undefined : accepted / sum
}

function showsOwner(of: SourceClass): boolean {
  return CLASSES[of].owner === 'shown'
}

/** Foreign domain → its owners. */
async function ownersBy(
  reader: ReportReader,
  ...span: [tenant: string, from: number, to: number]
): Promise<Map<string, string[]>> {
  const owned = await readForeign(reader, ...span)
  return new Map(
    grouped(owned, ({ domain }) => domain).map(([domain, some]) => [
      domain,
      some.map(({ owner }) => owner).filter((owner) => owner !== '' && owner !== OTHER),
    ]),
  )
}

/**
 * Adds up rows, oldest first. Days and hours are in order; within each, the most recipients first and `(other)` last. Between
 * them the process does other work.
 */
async function linesOf(
  rows: readonly DatedRow[],
  samples: readonly DatedSample[],
  hours: readonly HourReport[],
  by: Dimensions,
  owners: ReadonlyMap<string, readonly string[]>,
): Promise<ReportLine[]> {
  const keyOf = (of: DatedSource): string =>
    by.reduce<string>((key, each) => `${key}\t${valueOf(of, each)}`, of.class)
  const samplesBy = new Map(grouped(samples, keyOf))
  const length = by.includes('hour') ? HOUR : by.includes('day') ? DAY : Infinity
  const periodOf = (at: number): number => (length === Infinity ? 0 : startOf(at, length))
  const allBy = new Map(
    grouped(hours, ({ at }) => periodOf(at)).map(([at, some]) => [at, totalsOf(some)]),
  )
  const lineOf = (text: string, some: readonly DatedRow[], all: Totals | undefined): ReportLine => {
    const counts = total(some)
    return {
      key: Object.fromEntries(by.map((each) => [each, valueOf(some[0]!, each)])),
      class: some[0]!.class,
      counts,
      share: all && shareOf(counts, all),
      all: undefined,
      ips: by.includes('ip') ? [] : most(some, 'ip'),
      users: by.includes('user') ? [] : most(some, 'user'),
      domains: by.includes('domain') ? [] : most(some, 'domain'),
      owners: showsOwner(some[0]!.class) ? ownersOf(some, owners) : [],
      samples: (samplesBy.get(text) ?? []).toReversed(),
      distinctDomains: undefined,
    }
  }
  const lines: ReportLine[] = []
  for (const [at, some] of grouped(rows, (row) => periodOf(row.at))) {
    const all = allBy.get(at)
    const found = grouped(some, keyOf).map(([text, same]) => {
      const line = lineOf(text, same, all)
      const isOther = Number(by.some((each) => valueOf(same[0]!, each) === OTHER))
      return { line, isOther, size: recipients(line.counts) }
    })
    found.sort((a, b) => a.isOther - b.isOther || b.size - a.size)
    for (const { line } of found) lines.push(line)
    await setImmediate()
  }
  return lines
}

type DatedSource = Source & { readonly class: SourceClass; readonly at: number }

function ownersOf(
  rows: readonly DatedRow[],
  owners: ReadonlyMap<string, readonly string[]>,
): string[] {
  return [...new Set(rows.flatMap(({ domain }) => owners.get(domain) ?? []))].sort()
}

function valueOf(of: DatedSource, dimension: Dimension): string | number {
  if (dimension === 'day') return startOf(of.at, DAY)
  if (dimension === 'hour') return startOf(of.at, HOUR)
  return of[dimension]
}

function lineOfHours(key: ReportLine['key'], all: Totals): ReportLine {
  const counts = all[USUAL_CLASS]
  const nothing = { ips: [], users: [], domains: [], owners: [], samples: [] }
  return {
    ...{ key, class: USUAL_CLASS, counts, share: shareOf(counts, all), all },
    ...{ ...nothing, distinctDomains: undefined },
  }
}

/** The values in rows, most recipients first, without empty ones and `(other)`. */
function most(rows: readonly DatedRow[], key: keyof Source): string[] {
  // Most lines are of one row.
  if (rows.length === 1) return [rows[0]![key]].filter((value) => value !== OTHER && value !== '')
  return grouped(rows, (row) => row[key])
    .filter(([value]) => value !== OTHER && value !== '')
    .map(([value, some]) => [value, recipients(total(some))] as const)
    .sort((a, b) => b[1] - a[1])
    .map(([value]) => value)
}

async function withDistinct(
  reader: ReportReader,
  tenant: string,
  { from, to, step }: Query,
  lines: readonly ReportLine[],
): Promise<ReportLine[]> {
  const result: ReportLine[] = []
  for (const line of lines) {
    const { domain, day, hour } = line.key
    if (domain !== OTHER || hour !== undefined) {
      result.push(line)
      continue
    }
    const span = day === undefined ? ([from, to] as const) : ([day, day + DAY] as const)
    result.push({ ...line, distinctDomains: await reader.others(tenant, ...span, step) })
  }
  return result
}
