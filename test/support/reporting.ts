import { Recorder } from '../../src/reporting/recorder'
import { unpackCounts, type Counts } from '../../src/reporting/counts'
import type { Outcome } from '../../src/reporting/outcome'
import { readSource, type Row } from '../../src/reporting/rows'
import { Tally } from '../../src/reporting/tally'
import type { Store } from '../../src/store/store'
import { NOON, TestClock } from './clock'
import { newSite, type Site } from './registry'
import { readTotal, type HourTotal } from './report-fields'

export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 24 * HOUR
/** The start time of a test. */
export const HALF_PAST = NOON + HOUR / 2

/** An accepted message for one recipient. */
export const ACCEPTED: Outcome = {
  ...{ accepted: 1, deferred: 0, refused: 0, refunded: 0 },
  message: 'accepted',
}

/** A message refused at MAIL. */
export const REFUSED: Outcome = { ...ACCEPTED, accepted: 0, message: 'refused' }

/** Reports of the tenant `contoso`, at a time set by the test. */
export class Reports {
  readonly clock = new TestClock()
  readonly site: Site
  readonly dropped: string[] = []
  readonly tally = new Tally((reason) => this.dropped.push(reason))
  readonly recorder: Recorder

  private constructor(days: () => number) {
    this.site = newSite(this.clock.includes)
    this.recorder = new Recorder(this.site.store, days)
  }

  static async create(days = 90): Promise<Reports> {
    const reports = new Reports(() => days)
    await reports.clock.set(reports.store, HALF_PAST)
    await reports.site.registry.tenants.add('contoso', {}, 'test')
    return reports
  }

  get store(): Store {
    return this.site.store
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(this.store, ms)
  }

  /** Key of the report of this hour. */
  get hourKey(): string {
    return this.store.keys.reportHour('contoso', Math.floor(this.clock.now / HOUR))
  }

  /** Key of the report of this day. */
  get dayKey(): string {
    return this.store.keys.reportDay('contoso', this.day)
  }

  /** Days since the epoch. */
  get day(): number {
    return Math.floor(this.clock.now / DAY)
  }

  async rows(key: string): Promise<Row[]> {
    return readRows(await this.store.client.hgetall(key))
  }

  async totals(): Promise<HourTotal[]> {
    return readTotals(await this.store.client.hgetall(this.dayKey))
  }
}

/** The rows by source in a hash of a report. */
export function readRows(hash: Readonly<Record<string, string>>): Row[] {
  return Object.entries(hash).flatMap(([field, value]) => {
    const source = readSource(field)
    return source ? [{ ...source, counts: unpackCounts(value) }] : []
  })
}

/** The totals in a hash of a report. */
export function readTotals(hash: Readonly<Record<string, string>>): HourTotal[] {
  return Object.entries(hash).flatMap(([field, value]) => readTotal(field, value) ?? [])
}

/** Recipients accepted, deferred, refused and refunded, then messages: without the times. */
export function numbersOf({ accepted, deferred, refused, refunded, messages }: Counts): number[] {
  return [
    ...[accepted, deferred, refused, refunded],
    ...[messages.accepted, messages.deferred, messages.refused, messages.refunded],
  ]
}
