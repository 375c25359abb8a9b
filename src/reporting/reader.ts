import {
  KNOWN_CLASSES,
  LOOKED_CLASSES,
  lookedKey,
  type KnownClass,
  type LookedKey,
  type SourceClass,
} from '../mail/classes'
import { setImmediate } from 'node:timers/promises'
import { mapLimited } from '../base/limiter'
import { batchesOf } from '../base/lists'
import { scanSortedSet } from '../store/scan'
import type { Store } from '../store/store'
import { HOURS_KEPT, MINUTES_TTL } from './bounds'
import { DAY, HOUR, MINUTE, numbersBetween, startOf } from './calendar'
import { NOTHING, unpackCounts, type Counts } from './counts'
import { minutesIn, type MinuteRow } from './minutes'
import { lookedField, readSource, totalField, type Row, type Source } from './rows'

/** Hashes read at a time. The bounds of recording keep each to some hundred fields. */
const BATCH = 16
/** The same of whole reports: each takes a millisecond to read. */
const FULL_BATCH = 4

/** All mail of a tenant in one hour. */
export interface HourReport
  extends Readonly<Record<KnownClass, Counts>>, Readonly<Record<LookedKey, Looked>> {
  /** ms: the start of the hour. */
  readonly at: number
}

/** Messages whose header From was checked. */
export interface Looked {
  readonly looked: number
  /** Messages whose header From has no accepted domain. */
  readonly mismatched: number
}

/** A row, and the start of its hour or day in ms. */
export type DatedRow = Row & { readonly at: number }

/** Identifies a message of a source; `at`: start of its day in ms. */
export type DatedSample = Source & {
  readonly class: SourceClass
  readonly at: number
  /** Empty: it had none. */
  readonly messageId: string
  readonly helo: string
}

/** When a connector was used, in ms. */
export interface ConnectorUse {
  readonly first: number
  readonly last: number
  /** When its last certificate expires. */
  readonly certificateExpires: number | undefined
}

/** Fields read for each hour. */
const FIELDS = KNOWN_CLASSES.length + LOOKED_CLASSES.length

/**
 * Reads reports. All times are ms of Redis's clock. A span is `from` ≤ t < `to`, and includes each hour or day that
 * overlaps it.
 */
export class ReportReader {
  constructor(private readonly store: Store) {}

  /** Totals of each hour with mail, oldest first. */
  async hours(tenant: string, from: number, to: number): Promise<HourReport[]> {
    const { client, keys } = this.store
    const wanted = new Set(numbersBetween(from, to, HOUR))
    const days = await mapLimited(numbersBetween(from, to, DAY), BATCH, async (day) => {
      const hours = numbersBetween(day * DAY, (day + 1) * DAY, HOUR).filter((hour) =>
        wanted.has(hour),
      )
      const fields = hours.flatMap((hour) => [
        ...KNOWN_CLASSES.map((each) => totalField(hour % 24, each)),
        ...LOOKED_CLASSES.map((each) => lookedField(hour % 24, each)),
      ])
      const values = await client.hmget(keys.reportDay(tenant, day), ...fields)
      return hours.map((hour, at) => hourReport(hour, values.slice(FIELDS * at, FIELDS * (at + 1))))
    })
    return days.flat().filter((hour) => hour !== undefined)
  }

  /**
   * Rows by source, oldest first.
   *
   * @param step `hour` has rows for the last {@link HOURS_KEPT} days only.
   */
  async rows(tenant: string, from: number, to: number, step: 'hour' | 'day'): Promise<DatedRow[]> {
    const parts: DatedRow[][] = []
    for await (const rows of this.rowsOfEach(tenant, from, to, step)) parts.push(rows)
    return parts.flat()
  }

  /**
   * The same, those of one hour or day after the other: a full one has some hundred rows, and 90 days of them are too many
   * to hold. Between them the process does other work.
   */
  async *rowsOfEach(
    tenant: string,
    from: number,
    to: number,
    step: 'hour' | 'day',
  ): AsyncGenerator<DatedRow[]> {
    for await (const { fields, at } of this.contents(tenant, from, to, step)) {
      yield rowsIn(fields, at)
    }
  }

  /**
   * Mail by the minute, class and connector, oldest first. Minutes are kept for two hours; a flush counts in the minute in
   * which its first message came, and may be five seconds late.
   */
  async minutes(tenant: string, from: number, to: number): Promise<MinuteRow[]> {
    const { client, keys } = this.store
    const first = startOf(from, MINUTE)
    // Skips hours no longer kept.
    const kept = Math.max(from, to - MINUTES_TTL - HOUR)
    const hours = await mapLimited(numbersBetween(kept, to, HOUR), BATCH, async (hour) =>
      minutesIn(await client.hgetall(keys.reportMinutes(tenant, hour)), hour * HOUR),
    )
    return hours.flat().filter(({ at }) => at >= first && at < to)
  }

  /** What `read` makes of the fields of the reports of some days: `undefined` is left out. */
  async dayFields<T>(
    tenant: string,
    from: number,
    to: number,
    read: (field: string, value: string) => T | undefined,
  ): Promise<T[]> {
    const found: T[] = []
    for await (const { fields } of this.contents(tenant, from, to, 'day')) {
      for (const field in fields) {
        const made = read(field, fields[field]!)
        if (made !== undefined) found.push(made)
      }
    }
    return found
  }

  /** Estimated number of distinct domains in `(other)` (HyperLogLog, standard error 0.81 %). */
  async others(tenant: string, from: number, to: number, step: 'hour' | 'day'): Promise<number> {
    const names = this.reports(tenant, from, to, step).map(({ key }) =>
      this.store.keys.reportOthers(key),
    )
    return countDistinct(this.store, names)
  }

  /** Samples of mail counted by source, oldest first. */
  async samples(tenant: string, from: number, to: number): Promise<DatedSample[]> {
    const { client, keys } = this.store
    const days = await mapLimited(numbersBetween(from, to, DAY), BATCH, async (day) => {
      const fields = await client.hgetall(keys.samples(tenant, day))
      return Object.entries(fields).flatMap(([field, text]) => samplesIn(field, text, day * DAY))
    })
    return days.flat()
  }

  /** The used connectors of a tenant, by their name within the tenant. */
  async connectorsSeen(tenant: string): Promise<Map<string, ConnectorUse>> {
    const { client, keys } = this.store
    const fields = await client.hgetall(keys.seen(tenant))
    return new Map(
      Object.entries(fields).map(([name, text]) => {
        const [first = 0, last = 0, expires = 0] = text.split(' ').map(Number)
        return [name, { first, last, certificateExpires: expires || undefined }]
      }),
    )
  }

  /** The tenants with other mail than registered since a time, sorted by id. */
  async reported(since: number): Promise<string[]> {
    const last = await scanSortedSet(this.store, this.store.keys.reported)
    return [...last].flatMap(([tenant, time]) => (time >= since ? [tenant] : [])).sort()
  }

  /** The hashes of reports, oldest first. */
  private async *contents(
    tenant: string,
    from: number,
    to: number,
    step: 'hour' | 'day',
  ): AsyncGenerator<{ readonly fields: Readonly<Record<string, string>>; readonly at: number }> {
    for (const some of batchesOf(this.reports(tenant, from, to, step), FULL_BATCH)) {
      const found = await Promise.all(some.map(({ key }) => this.store.client.hgetall(key)))
      for (const [place, { at }] of some.entries()) {
        yield { fields: found[place]!, at }
        await setImmediate()
      }
    }
  }

  private reports(
    tenant: string,
    from: number,
    to: number,
    step: 'hour' | 'day',
  ): { key: string; at: number }[] {
    const { keys } = this.store
    if (step === 'day') {
      return numbersBetween(from, to, DAY).map((day) => ({
        key: keys.reportDay(tenant, day),
        at: day * DAY,
      }))
    }
    // Skips hours no longer kept. One day more, since `to` may be before the end of its day.
    const kept = Math.max(from, to - (HOURS_KEPT + 1) * DAY)
    return numbersBetween(kept, to, HOUR).map((hour) => ({
      key: keys.reportHour(tenant, hour),
      at: hour * HOUR,
    }))
  }
}

/** The rows of one report as Redis holds it. */
function rowsIn(fields: Readonly<Record<string, string>>, at: number): DatedRow[] {
  const rows: DatedRow[] = []
  for (const field in fields) {
    const source = readSource(field)
    if (!source) continue
    const { class: of, domain, connector, ip, user } = source
    rows.push({ class: of, domain, connector, ip, user, at, counts: unpackCounts(fields[field]!) })
  }
  return rows
}

/** Estimated number of distinct values in HyperLogLogs of one slot. */
export async function countDistinct(store: Store, names: readonly string[]): Promise<number> {
  const there = await mapLimited(names, BATCH, (name) => store.client.exists(name))
  const present = names.filter((_, at) => there[at] === 1)
  return present.length === 0 ? 0 : store.client.pfcount(...present)
}

function hourReport(hour: number, values: readonly (string | null)[]): HourReport | undefined {
  if (values.every((value) => value === null)) return undefined
  const counts = KNOWN_CLASSES.map((each, at) => {
    const value = values[at]
    return [each, value ? unpackCounts(value) : NOTHING] as const
  })
  const looked = LOOKED_CLASSES.map(
    (each, at) => [lookedKey(each), readLooked(values[KNOWN_CLASSES.length + at])] as const,
  )
  return { at: hour * HOUR, ...byName(counts), ...byName(looked) }
}

/** `Object.fromEntries`, for entries with all keys of K. */
function byName<K extends string, V>(entries: readonly (readonly [K, V])[]): Record<K, V> {
  return Object.fromEntries(entries) as Record<K, V>
}

function readLooked(value: string | null | undefined): Looked {
  const [looked = 0, mismatched = 0] = (value ?? '').split(' ').map(Number)
  return { looked, mismatched }
}

function samplesIn(field: string, text: string, at: number): DatedSample[] {
  const source = readSource(field)
  if (!source) return []
  return text.split('\n').map((line) => {
    const [messageId = '', helo = ''] = line.split('\t')
    return { ...source, at, messageId, helo }
  })
}
