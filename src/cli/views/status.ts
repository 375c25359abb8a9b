import { noSuchTenant } from '../../base/errors'
import { formatWindow } from '../../mail/limits'
import { Ledger } from '../../allowance/ledger'
import {
  METER_NAMES,
  meterField,
  RESTRICTING,
  RESTRICTING_FIRST,
  USUAL_METER,
  type Meter,
  type NamedMeter,
} from '../../mail/meters'
import type { Forecast } from '../../allowance/forecast'
import type { Probation, Usage, WindowUsage } from '../../allowance/usage'
import type { Config } from '../../process/config'
import { defaultsOf } from '../../allowance/defaults'
import { Restrictions, type Restriction } from '../../allowance/restriction'
import { batchesOf } from '../../base/lists'
import type { Store } from '../../store/store'
import { modeInEffect, type Mode } from '../../mail/mode'
import type { Tenant } from '../../mail/tenant'
import { isoTime } from '../../base/time'
import { restrictionView, type RestrictionView } from './restriction'
import { COMMAND_TIMEOUT } from '../kit/store'

/** How a tenant stands now. */
export interface TenantStatus {
  readonly tenant: Tenant
  /** The mode in force, and where it comes from, for people. */
  readonly mode: Mode
  readonly modeSource: string
  readonly restriction: Restriction | undefined
  readonly usage: Usage
  /** The last time that a restriction was lifted. */
  readonly lifted: Lift | undefined
}

interface Lift {
  /** ms since the epoch */
  readonly at: number
  readonly by: string
  readonly reason: string
}

/** A window, as JSON. */
interface WindowView {
  readonly window: string
  readonly limit: number
  readonly defer: boolean
  readonly used: number
  readonly remaining: number
}

/** When a tenant would be restricted at the pace of the last minutes, as JSON. */
interface ForecastView {
  readonly window: string
  readonly limit: number
  /** ISO 8601 UTC */
  readonly at: string
  /** From now. */
  readonly seconds: number
}

/** The allowance that holds for some time after a lift, as JSON. */
export interface ProbationView {
  readonly limits: string
  /** ISO 8601 UTC */
  readonly until: string
  /** The case that was lifted; `null`: it was older than cases. */
  readonly case: string | null
}

export function probationView({ limits, until, case: lifted }: Probation): ProbationView {
  return { limits, until: isoTime(until), case: lifted || null }
}

/** Windows of the meters that do not go without saying; `null`: the tenant has no such meter. */
type NamedWindows = Readonly<Record<NamedMeter, readonly WindowView[] | null>>
/** Forecasts of those of them that restrict. */
type NamedForecasts = Readonly<Partial<Record<`${NamedMeter}_forecast`, ForecastView | null>>>

/** A tenant's status, as JSON. */
export interface StatusView extends NamedWindows, NamedForecasts {
  readonly tenant: string
  readonly mode: Mode
  readonly restricted: boolean
  readonly restriction: RestrictionView | null
  /** Of the usual meter. */
  readonly windows: readonly WindowView[]
  /** Recipients of messages that are on their way and may be forwards. */
  readonly held: number
  /** Of the usual meter. */
  readonly forecast: ForecastView | null
  readonly probation: ProbationView | null
}

/** Tenants asked for at a time. */
const BATCH = 500

/** Reads how tenants stand. */
export class StatusReader {
  private readonly ledger: Ledger
  private readonly restrictions: Restrictions

  constructor(
    private readonly store: Store,
    private readonly config: Config,
  ) {
    this.ledger = new Ledger(store, COMMAND_TIMEOUT)
    this.restrictions = new Restrictions(store)
  }

  /** @throws {NotFoundError} it was removed meanwhile. */
  async one(tenant: Tenant): Promise<TenantStatus> {
    const status = await this.read(tenant)
    if (status) return status
    throw noSuchTenant(tenant.id)
  }

  /** All that are still there, those nearest a limit first. */
  async all(tenants: readonly Tenant[]): Promise<TenantStatus[]> {
    const statuses: TenantStatus[] = []
    for (const batch of batchesOf(tenants, BATCH)) {
      const read = await Promise.all(batch.map((tenant) => this.read(tenant)))
      statuses.push(...read.filter((status) => status !== undefined))
    }
    return statuses
      .map((status) => ({ status, share: highestShare(status) }))
      .sort((a, b) => b.share - a.share || compare(a.status.tenant.id, b.status.tenant.id))
      .map(({ status }) => status)
  }

  private async read(tenant: Tenant): Promise<TenantStatus | undefined> {
    const { client, keys } = this.store
    const [usage, restriction, lifted] = await Promise.all([
      this.ledger.usage(tenant.id, defaultsOf(this.config)),
      this.restrictions.get(tenant.id),
      client.hget(keys.tenant(tenant.id), 'lifted'),
    ])
    if (!usage) return undefined
    const { main } = this.config
    return {
      tenant,
      mode: modeInEffect(main, tenant.mode),
      modeSource: main.override ? ' ([main] override)' : tenant.mode ? '' : ' (default)',
      restriction,
      usage,
      lifted: parseLift(lifted),
    }
  }
}

/** A window, and the meter that it belongs to. */
export interface MeterWindow {
  readonly meter: Meter
  readonly usage: WindowUsage
}

/**
 * The window that is nearest its limit, of all meters; where none has anything, the usual one. `undefined`:
 * that is unlimited.
 */
export function fullestWindow({ usage }: TenantStatus): MeterWindow | undefined {
  const windows = RESTRICTING_FIRST.flatMap((meter) =>
    (usage[meter] ?? []).map((each) => ({ meter, usage: each })),
  )
  const [fullest] = windows.toSorted((a, b) => shareOf(b.usage) - shareOf(a.usage))
  const isEmpty = fullest?.meter !== USUAL_METER && fullest?.usage.used === 0
  return isEmpty ? undefined : fullest
}

/** `used` as a share of `limit`; of a limit of 0, anything is all of it. */
export function shareOf({ used, limit }: WindowUsage): number {
  if (limit === 0) return used > 0 ? 1 : 0
  return used / limit
}

/** When a meter would restrict the tenant at this pace; `undefined`: it would not, or has done so. */
export function forecastOf(
  { mode, restriction, usage }: TenantStatus,
  meter: Meter,
): Forecast | undefined {
  const forecast = usage.forecasts[meter]
  if (!forecast || restriction || mode === 'off') return undefined
  // In monitor, charges go on past the limit.
  const passed = usage[meter]?.some(
    ({ window, used, limit }) => window === forecast.window && used > limit,
  )
  return mode === 'monitor' && passed ? undefined : forecast
}

/** The sooner one of these. */
export function firstForecastOf(status: TenantStatus): Forecast | undefined {
  return RESTRICTING.map((meter) => forecastOf(status, meter))
    .filter((forecast) => forecast !== undefined)
    .sort((a, b) => a.at - b.at)[0]
}

export function statusView(status: TenantStatus): StatusView {
  const { tenant, mode, restriction, usage } = status
  const forecastOn = (meter: Meter): ForecastView | null => {
    const forecast = forecastOf(status, meter)
    return forecast ? forecastView(forecast, usage.at) : null
  }
  const named = METER_NAMES.filter((meter) => meter !== USUAL_METER).map((meter) => [
    meter,
    usage[meter]?.map(windowView) ?? null,
  ])
  return {
    tenant: tenant.id,
    mode,
    restricted: restriction !== undefined,
    restriction: restriction ? restrictionView(restriction) : null,
    windows: usage[USUAL_METER].map(windowView),
    ...(Object.fromEntries(named) as NamedWindows),
    held: usage.held,
    forecast: forecastOn(USUAL_METER),
    ...Object.fromEntries(
      RESTRICTING.map((meter) => [meterField(meter, 'forecast'), forecastOn(meter)]),
    ),
    probation: usage.probation ? probationView(usage.probation) : null,
  }
}

function forecastView({ window, limit, at }: Forecast, now: number): ForecastView {
  return {
    window: formatWindow(window),
    limit,
    at: isoTime(at),
    seconds: Math.round((at - now) / 1000),
  }
}

function windowView({ window, limit, defer, used, remaining }: WindowUsage): WindowView {
  return { window: formatWindow(window), limit, defer, used, remaining }
}

/** Reads the record that `allowance/lua/lift.lua` leaves. */
function parseLift(record: string | null): Lift | undefined {
  const [at, by, reason] = (record ?? '').split('\t')
  return at && by && reason ? { at: Number(at), by, reason } : undefined
}

function highestShare(status: TenantStatus): number {
  const fullest = fullestWindow(status)
  return fullest ? shareOf(fullest.usage) : 0
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
