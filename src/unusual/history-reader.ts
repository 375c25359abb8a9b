import { parseLimits } from '../mail/limits'
import { LOOKED_CLASSES, watchedBy } from '../mail/classes'
import { temporaryAt, temporaryField } from '../mail/temporary'
import { METERS, USUAL_METER } from '../mail/meters'
import type { UnusualConfig } from './settings'
import { DAY, HOUR, startOf } from '../reporting/calendar'
import { readForeign } from '../reporting/foreign'
import { readHeaderFroms } from '../reporting/header-from'
import { ReportReader, type DatedRow, type HourReport } from '../reporting/reader'
import { OTHER } from '../reporting/rows'
import type { Store } from '../store/store'
import { serverTime } from '../store/server-clock'
import { readSomeConnectors } from '../registry/connector-reader'
import { hasManyDomains } from './domains'
import { isMuchForeign } from './foreign'
import { isMuchMismatched } from './header-from'
import { SOURCE_DAYS, type History } from './history'
import { Hourly, UNREGISTERED } from './hourly'
import { isMuchOnTop } from './new-source'
import { mostBounces } from './null-volume'
import { recentRestrictions } from './recent-restrictions'
import { BASELINE, lastDay } from './span'

/** Age of a restriction whose following hours may be in the last 24 hours. */
const RESTRICTED_WITHIN = DAY + 3 * HOUR

/** The class whose header Froms `null_volume` needs. */
const BOUNCES = LOOKED_CLASSES.find((each) => watchedBy('null_volume').includes(each))!

/** What the histories of all tenants share. */
export interface Moment {
  /** ms, server time */
  readonly now: number
  /** When recording of mail began. */
  readonly recordedSince: number
  /** Times of recent restrictions, by tenant. */
  readonly restrictions: ReadonlyMap<string, readonly number[]>
}

/** Reads the history of a tenant, as far as the rules need it. */
export class HistoryReader {
  private readonly reports: ReportReader

  constructor(
    private readonly store: Store,
    private readonly config: UnusualConfig,
  ) {
    this.reports = new ReportReader(store)
  }

  /** @param at ms; by default the server's time. */
  async moment(at?: number): Promise<Moment> {
    const { client, keys } = this.store
    const now = at ?? (await serverTime(this.store.client))
    const [since, restrictions] = await Promise.all([
      client.get(keys.recordedSince),
      recentRestrictions(this.store, now - RESTRICTED_WITHIN),
    ])
    return { now, recordedSince: Number(since ?? now), restrictions }
  }

  /** `undefined`: there is no such tenant. */
  async read(tenant: string, moment: Moment): Promise<History | undefined> {
    const { client, keys } = this.store
    const { now, restrictions } = moment
    const { limitsField } = METERS[USUAL_METER]
    const [[createdAt, usual, temporary], restricted, hours] = await Promise.all([
      client.hmget(keys.tenant(tenant), 'createdAt', limitsField, temporaryField(limitsField)),
      client.hget(keys.restriction(tenant), 'since'),
      this.hours(tenant, now),
    ])
    if (!createdAt) return undefined
    const limits = temporaryAt(temporary, now)?.limits ?? usual
    const quiet: History = {
      tenant,
      now,
      knownSince: Math.max(Number(createdAt), moment.recordedSince, this.keptSince(now)),
      hours,
      rows: [],
      rowsBefore: [],
      dayRows: [],
      otherDomains: new Map(),
      connectors: [],
      foreign: [],
      headerFrom: [],
      nullHeaderFrom: [],
      restrictedAt: [
        ...(restrictions.get(tenant) ?? []),
        ...(restricted && Number(restricted) > now - RESTRICTED_WITHIN ? [Number(restricted)] : []),
      ],
      limits: limits ? parseLimits(limits) : this.config.allowance.limits,
    }
    const known = await this.withNames(quiet)
    const from = lastDay(now)[0]!
    // Most tenants send no unregistered mail on a day, and need no rows.
    if (new Hourly(hours, UNREGISTERED).sum(from, now) === 0) return known
    return this.withRows(known, from)
  }

  /** Reads domains for the rules that compare hours. */
  private async withNames(quiet: History): Promise<History> {
    const { unusual } = this.config
    const span = [quiet.tenant, lastDay(quiet.now)[0]!, quiet.now + 1] as const
    const { reports } = this
    return {
      ...quiet,
      foreign: isMuchForeign(quiet, unusual) ? await readForeign(reports, ...span) : [],
      headerFrom: isMuchMismatched(quiet, unusual)
        ? (await readHeaderFroms(reports, ...span)).domains
        : [],
      nullHeaderFrom: mostBounces(quiet, unusual)
        ? (await readHeaderFroms(reports, ...span, BOUNCES)).domains
        : [],
    }
  }

  private async withRows(quiet: History, from: number): Promise<History> {
    const { tenant, now } = quiet
    const { unusual } = this.config
    const rows = await this.rows(tenant, from, now + 1, 'hour')
    const known = { ...quiet, rows, otherDomains: await this.othersOf(tenant, rows) }
    const rowsBefore = hasManyDomains(known, unusual)
      ? await this.rows(tenant, from - BASELINE, from, 'hour')
      : []
    const dayRows = isMuchOnTop(known, unusual)
      ? await this.rows(tenant, from - SOURCE_DAYS * DAY, now + 1, 'day')
      : []
    const connectors = await readSomeConnectors(this.store, [
      ...new Set(rows.map(({ connector }) => connector).filter((id) => id !== '' && id !== OTHER)),
    ])
    return {
      ...known,
      rowsBefore,
      dayRows,
      connectors: connectors.flatMap(([, connector]) => connector ?? []),
      otherDomains: new Map([...known.otherDomains, ...(await this.othersOf(tenant, rowsBefore))]),
    }
  }

  private async rows(...span: Parameters<ReportReader['rows']>): Promise<DatedRow[]> {
    return (await this.reports.rows(...span)).filter((row) => UNREGISTERED.includes(row.class))
  }

  /** Estimated number of domains in `(other)`, for each hour that has it. */
  private async othersOf(tenant: string, rows: readonly DatedRow[]): Promise<Map<number, number>> {
    const hours = new Set(rows.filter(({ domain }) => domain === OTHER).map(({ at }) => at))
    const counts = new Map<number, number>()
    for (const hour of hours) {
      counts.set(hour, await this.reports.others(tenant, hour, hour + HOUR, 'hour'))
    }
    return counts
  }

  /** Reads the last 24 hours, and all hours that the rules compare each of them with. */
  private async hours(tenant: string, now: number): Promise<HourReport[]> {
    const current = startOf(now, HOUR)
    const from = current - DAY - 2 * BASELINE
    const recent = await this.reports.hours(tenant, from, now + 1)
    const oldest = current - DAY - this.config.unusual.quietDays * DAY
    // Only quiet_days looks back farther, and one recent recipient shows that it was not quiet.
    if (oldest >= from || new Hourly(recent, UNREGISTERED).sum(from, current - DAY) > 0) {
      return recent
    }
    return [...(await this.reports.hours(tenant, oldest, from)), ...recent]
  }

  /** Older reports may have expired. */
  private keptSince(now: number): number {
    return startOf(now, DAY) - (this.config.report.days - 1) * DAY
  }
}
