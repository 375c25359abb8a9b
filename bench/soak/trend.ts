/** `[x, y]` */
export type Point = readonly [number, number]

/** A straight line through points, by least squares. */
export interface Trend {
  /** What y grows by for one x. */
  readonly slope: number
  /** Its standard error: the line's own, as if the points lay around it at random. */
  readonly error: number
}

/** @throws RangeError where there are fewer than three points: no error can be told. */
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

/** Whether y may be said not to grow: its growth is lost in its own error, or below what counts. Less is no growth. */
export function isFlat({ slope, error }: Trend, bound: number): boolean {
  return slope < Math.max(2 * error, bound)
}
