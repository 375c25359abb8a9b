import { InputError } from '../base/errors'

/** At most `count` recipients in any interval of `window` ms. */
export interface Limit {
  readonly count: number
  /** ms */
  readonly window: number
  /** Answers 4xx when reached, and restricts nobody. */
  readonly defer: boolean
}

/** The allowance of a meter. An empty list is `unlimited`. */
export type Limits = readonly Limit[]

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
]
const UNIT_MS = new Map(UNITS)
const LIMIT = /^(\d{1,10})\s*\/\s*(\d{1,6})([smhd])(\s+defer)?$/
const MAX_COUNT = 1_000_000_000
const MAX_WINDOW = 366 * 86_400_000
const EXAMPLE = 'for example 300/1h, 1500/1d'

/**
 * Parses an allowance such as `300/1h, 1500/1d` or `100/10m defer` or `unlimited`.
 *
 * @throws {InputError} naming the part that is wrong.
 */
export function parseLimits(text: string): Limits {
  const trimmed = text.trim()
  if (trimmed === 'unlimited') return []
  const limits = trimmed.split(',').map(parseLimit)
  const windows = new Set<number>()
  for (const limit of limits) {
    if (windows.has(limit.window)) {
      throw new InputError(
        `two limits for ${formatWindow(limit.window)} in "${text}": keep one of them`,
      )
    }
    windows.add(limit.window)
  }
  return limits
}

function parseLimit(part: string): Limit {
  const match = LIMIT.exec(part.trim())
  if (!match) {
    throw new InputError(
      `"${part.trim()}" is not a limit: write COUNT/WINDOW with s, m, h or d, ${EXAMPLE}, or "unlimited"`,
    )
  }
  const count = Number(match[1])
  const window = Number(match[2]) * UNIT_MS.get(match[3]!)!
  if (count > MAX_COUNT) throw new InputError(`"${part.trim()}": at most ${MAX_COUNT} recipients`)
  if (window === 0 || window > MAX_WINDOW) {
    throw new InputError(`"${part.trim()}": a window is between 1s and 366d`)
  }
  return { count, window, defer: match[4] !== undefined }
}

/** The canonical text, which {@link parseLimits} and the scripts read: `300/1h, 1500/1d defer`. */
export function formatLimits(limits: Limits): string {
  if (limits.length === 0) return 'unlimited'
  return limits
    .map(({ count, window, defer }) => `${count}/${formatWindow(window)}${defer ? ' defer' : ''}`)
    .join(', ')
}

/**
 * A time such as `7d`, in ms.
 *
 * @param option stands before the value in the message.
 * @throws {InputError}
 */
export function parseDuration(option: string, text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text.trim())
  const duration = match ? Number(match[1]) * UNIT_MS.get(match[2]!)! : 0
  if (duration > 0 && duration <= MAX_WINDOW) return duration
  throw new InputError(`${option} "${text}" is no time from 1s to 366d: give such as 12h or 7d`)
}

/** A window in its largest whole unit: 3600000 → `1h`. */
export function formatWindow(window: number): string {
  for (const [unit, ms] of UNITS) if (window % ms === 0) return `${window / ms}${unit}`
  return `${window}ms`
}
