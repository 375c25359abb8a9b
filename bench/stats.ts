import { createHistogram } from 'node:perf_hooks'

/**
 * The value at quantile `share` (0 to 1), by the nearest rank.
 *
 * @throws RangeError where there are none
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new RangeError('no values')
  return value
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Durations in ms. Memory is bounded: each is kept to three digits. */
export class Times {
  readonly #histogram = createHistogram()

  add(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * 1_000)))
  }

  get count(): number {
    return this.#histogram.count
  }

  get longest(): number {
    return this.#histogram.max / 1_000
  }

  /** @param share above 0, up to 1 */
  quantile(share: number): number {
    return this.#histogram.percentile(share * 100) / 1_000
  }
}

/** `[x, y]` */
export type Point = readonly [number, number]

/** A straight line through points, by least squares. */
interface Trend {
  /** Growth of y for one x. */
  readonly slope: number
  /** Standard error of the slope. */
  readonly error: number
}

/** @throws RangeError for fewer than three points: they have no error */
export function trendOf(points: readonly Point[]): Trend {
  const count = points.length
  if (count < 3) throw new RangeError(`a trend of ${count} points`)
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  const slope = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread
  const missed = points.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0)
  return { slope, error: Math.sqrt(missed / (count - 2) / spread) }
}

/** Whether y does not grow: its slope is within twice its error, or below `bound`. */
export function isFlat({ slope, error }: Trend, bound: number): boolean {
  return slope < Math.max(2 * error, bound)
}
