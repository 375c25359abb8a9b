import { forecast, type Forecast, type Ring } from './forecast'
import {
  METER_NAMES,
  meterOf,
  METERS,
  RESTRICTING,
  type Meter,
  type OptionalMeter,
} from '../mail/meters'
import { temporaryAt, type Temporary } from '../mail/temporary'
import { parseTrigger, type Trigger } from '../mail/trigger'

/** One window of a meter. */
export interface WindowUsage {
  /** ms */
  readonly window: number
  readonly limit: number
  readonly defer: boolean
  /** Recipients counted in the window. */
  readonly used: number
  /** Recipients that may still come; never below 0. */
  readonly remaining: number
  /**
   * In ms since the epoch (server time): where the limit is reached, when the next recipient will be accepted; else when
   * the oldest recipients leave the window. `undefined`: nothing is counted, or the limit is 0.
   */
  readonly freesAt: number | undefined
}

/** `used` as a share of `limit`; 1 for any use of a limit of 0. */
export function shareOf({ used, limit }: WindowUsage): number {
  if (limit === 0) return used > 0 ? 1 : 0
  return used / limit
}

/** In monitor: when the tenant would first have been restricted. */
interface WouldTrip extends Trigger {
  /** ms since the epoch, server time */
  readonly since: number
}

/** A smaller allowance that is in effect for some time after a lift. */
export interface Probation {
  /** ms since the epoch, server time */
  readonly until: number
  /** The allowance of the meters that it lowers, canonical text. */
  readonly limits: string
  /** The case of that restriction; empty: none. */
  readonly case: string
}

/** Limits in effect for some time, and those that apply afterwards. */
export interface TemporaryAllowance extends Temporary {
  /** Canonical text. */
  readonly usual: string
}

/** The windows of a tenant's meters by the limits in force. None: `unlimited`; `undefined`: it has no such meter. */
export type MeterWindows = Readonly<
  Record<Exclude<Meter, OptionalMeter>, readonly WindowUsage[]> &
    Record<OptionalMeter, readonly WindowUsage[] | undefined>
>

/** The meters of a tenant. */
export interface Usage extends MeterWindows {
  /** ms since the epoch: the server time of this reading. */
  readonly at: number
  /** Recipients of messages under way that may be forwards. */
  readonly held: number
  readonly wouldTrip: WouldTrip | undefined
  /** When a meter would restrict the tenant; absent: not at this pace. */
  readonly forecasts: Readonly<Partial<Record<Meter, Forecast>>>
  /** `undefined`: none is in effect. */
  readonly probation: Probation | undefined
  /** Those in effect; a probation may lower them. */
  readonly temporary: Readonly<Partial<Record<Meter, TemporaryAllowance>>>
}

/** Reads the reply of `allowance/lua/usage.lua`. */
export function decodeUsage(reply: readonly unknown[]): Usage {
  const [at, wouldTrip, probation, held, letters, rows, temporaries, later] = reply as [
    number,
    string,
    string,
    number,
    string,
    unknown[][],
    [letter: string, temporary: string, usual: string][],
    unknown[][],
  ]
  const temporary = decodeTemporaries(temporaries, Number(at))
  const windowsOf = (meter: Meter): WindowUsage[] | undefined => {
    const { letter } = METERS[meter]
    if (!letters.includes(letter)) return undefined
    return rows
      .filter((row) => row[0] === letter)
      .map((row) => decodeWindow(row.slice(1).map(Number)))
  }
  const forecasts = RESTRICTING.flatMap((meter) => {
    const { until: from } = temporary[meter] ?? {}
    const afterwards =
      from === undefined ? undefined : { from, rings: restrictingRings(later, meter) }
    const found = forecast(Number(at), restrictingRings(rows, meter), afterwards)
    return found ? [[meter, found] as const] : []
  })
  const windows = METER_NAMES.map((meter) => [meter, windowsOf(meter)])
  return {
    at: Number(at),
    ...(Object.fromEntries(windows) as MeterWindows),
    held: Number(held),
    wouldTrip: decodeWouldTrip(wouldTrip),
    forecasts: Object.fromEntries(forecasts),
    probation: decodeProbation(probation),
    temporary,
  }
}

/** The windows of a meter that restrict, and do not only defer. */
function restrictingRings(rows: readonly unknown[][], meter: Meter): Ring[] {
  return rows
    .filter(([letter, , , defer]) => letter === METERS[meter].letter && Number(defer) === 0)
    .map((row) => {
      const [window = 0, limit = 0, , , newest = 0, ...pairs] = row.slice(1).map(Number)
      return { window, limit, newest, buckets: [...paired(pairs)] }
    })
}

function* paired(numbers: readonly number[]): Generator<[number, number]> {
  for (let at = 0; at + 1 < numbers.length; at += 2) yield [numbers[at]!, numbers[at + 1]!]
}

function decodeWindow(row: readonly number[]): WindowUsage {
  const [window = 0, limit = 0, defer = 0, used = 0, , ...pairs] = row
  return {
    window,
    limit,
    defer: defer === 1,
    used,
    remaining: Math.max(0, limit - used),
    freesAt: freesAt(window, limit, used, pairs),
  }
}

function decodeTemporaries(
  rows: readonly (readonly [letter: string, temporary: string, usual: string])[],
  now: number,
): Usage['temporary'] {
  const found = rows.map(([letter, text, usual]) => [
    meterOf(letter),
    { ...temporaryAt(text, now), usual },
  ])
  return Object.fromEntries(found) as Usage['temporary']
}

/** A bucket leaves its window when 61 buckets have passed since it began (see `allowance/lua/include/ring.lua`). */
function freesAt(
  window: number,
  limit: number,
  used: number,
  pairs: readonly number[],
): number | undefined {
  if (limit === 0) return undefined
  const width = Math.ceil(window / 60)
  let left = used
  for (const [bucket, count] of paired(pairs)) {
    left -= count
    if (left < limit) return (bucket + 61) * width
  }
  return undefined
}

/** Reads `allowance/lua/include/probation.lua`'s text. */
function decodeProbation(text: string): Probation | undefined {
  const [until, limits, openedCase] = text.split('\t')
  if (limits === undefined) return undefined
  return { until: Number(until), limits, case: openedCase ?? '' }
}

/** The same, but for a probation that has ended by `now` (ms, server time). */
export function probationInEffect(packed: string | null, now: number): Probation | undefined {
  const probation = decodeProbation(packed ?? '')
  return probation && probation.until > now ? probation : undefined
}

function decodeWouldTrip(text: string): WouldTrip | undefined {
  if (text === '') return undefined
  const parts = text.split('\t')
  const fields: Record<string, string> = {}
  for (let at = 0; at + 1 < parts.length; at += 2) fields[parts[at]!] = parts[at + 1]!
  const trigger = parseTrigger(fields)
  return trigger && { since: Number(fields['since']), ...trigger }
}
