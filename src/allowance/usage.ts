import { forecast, type Forecast, type Ring } from './forecast'
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
   * When room comes back, in ms since the epoch (server time): where the limit is reached, the moment from which
   * another recipient fits; else the moment when the oldest ones leave the window. `undefined`: nothing is counted,
   * or the limit is 0.
   */
  readonly freesAt: number | undefined
}

/** In monitor: the first moment in which the tenant would have been restricted. */
interface WouldTrip extends Trigger {
  /** ms since the epoch, server time */
  readonly since: number
}

/** A smaller allowance that holds for some time after a lift. */
export interface Probation {
  /** ms since the epoch, server time */
  readonly until: number
  /** Its allowance for unregistered mail, canonical text. */
  readonly limits: string
  /** The case that it belongs to; empty: none. */
  readonly case: string
}

/** The meters of a tenant. An empty list of windows is `unlimited`. */
export interface Usage {
  /** ms since the epoch: the server time of this reading. */
  readonly at: number
  readonly unregistered: readonly WindowUsage[]
  /** Proven forwards; `undefined`: the tenant has no allowance for them. */
  readonly forwarded: readonly WindowUsage[] | undefined
  /** Recipients of messages that are on their way and may be forwards. */
  readonly held: number
  /** While the tenant is restricted, by the smaller limits of then. */
  readonly null: readonly WindowUsage[]
  readonly wouldTrip: WouldTrip | undefined
  /** When unregistered mail would trip the tenant; `undefined`: not at this pace. */
  readonly forecast: Forecast | undefined
  /** When proven forwards would. */
  readonly forwardedForecast: Forecast | undefined
  /** `undefined`: none holds. */
  readonly probation: Probation | undefined
}

/** Reads the reply of `allowance/lua/usage.lua`. */
export function decodeUsage(reply: readonly unknown[]): Usage {
  const [at, wouldTrip, probation, held, forwards, ...rows] = reply as [
    number,
    string,
    string,
    number,
    number,
    ...unknown[][],
  ]
  const windows = (meter: 'u' | 'f' | 'n'): WindowUsage[] =>
    rows.filter((row) => row[0] === meter).map((row) => decodeWindow(row.slice(1).map(Number)))
  return {
    at: Number(at),
    unregistered: windows('u'),
    forwarded: Number(forwards) === 1 ? windows('f') : undefined,
    held: Number(held),
    null: windows('n'),
    wouldTrip: decodeWouldTrip(wouldTrip),
    forecast: forecast(Number(at), restrictingRings(rows, 'u')),
    forwardedForecast: forecast(Number(at), restrictingRings(rows, 'f')),
    probation: decodeProbation(probation),
  }
}

/** Those of the windows of a meter that do not only defer. */
function restrictingRings(rows: readonly unknown[][], of: 'u' | 'f'): Ring[] {
  return rows
    .filter(([meter, , , defer]) => meter === of && Number(defer) === 0)
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
export function decodeProbation(text: string): Probation | undefined {
  const [until, limits, openedCase] = text.split('\t')
  if (limits === undefined) return undefined
  return { until: Number(until), limits, case: openedCase ?? '' }
}

function decodeWouldTrip(text: string): WouldTrip | undefined {
  if (text === '') return undefined
  const parts = text.split('\t')
  const fields: Record<string, string> = {}
  for (let at = 0; at + 1 < parts.length; at += 2) fields[parts[at]!] = parts[at + 1]!
  const trigger = parseTrigger(fields)
  return trigger && { since: Number(fields['since']), ...trigger }
}
