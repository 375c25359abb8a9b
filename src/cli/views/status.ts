import type { Forecast } from '../../allowance/forecast'
import type { Probation, WindowUsage } from '../../allowance/usage'
import { isoTime } from '../../base/time'
import { formatWindow } from '../../mail/limits'
import {
  METER_NAMES,
  meterField,
  RESTRICTING,
  USUAL_METER,
  type Meter,
  type NamedMeter,
} from '../../mail/meters'
import type { Mode } from '../../mail/mode'
import { forecastOf, type TenantStatus } from '../../operations/status'
import { temporaryView } from './temporary'
import { restrictionView, type RestrictionView } from './restriction'

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

/** Windows of all meters but the usual one; `null`: the tenant has no such meter. */
type NamedWindows = Readonly<Record<NamedMeter, readonly WindowView[] | null>>
/** Forecasts of these meters, where they restrict. */
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
    ...temporaryView(usage.temporary),
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
