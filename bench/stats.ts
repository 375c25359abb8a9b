/**
 * The value below which `share` (0 to 1) of the values lie, by the nearest rank.
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

/** Ratios of paired batches, those of one start of the servers together. */
export type RatiosByStart = readonly (readonly number[])[]

export interface RatioSummary {
  readonly ratio: number
  /** Half of all pairs lie between these two. */
  readonly quartiles: readonly [number, number]
  /** The median of each start: two equal processes differ, too. */
  readonly starts: readonly number[]
}

/** The median of all pairs, and how far they and the starts differ. */
export function summarize(byStart: RatiosByStart): RatioSummary {
  const all = byStart.flat()
  return {
    ratio: median(all),
    quartiles: [quantile(all, 0.25), quantile(all, 0.75)],
    starts: byStart.map(median),
  }
}

/** `half of 60 pairs 1.01 to 1.04; 5 starts 1.02 to 1.03` */
export function spreadOf({ quartiles: [low, high], starts }: RatioSummary, pairs: number): string {
  const half = `half of ${pairs} pairs ${low.toFixed(2)} to ${high.toFixed(2)}`
  if (starts.length === 1) return half
  const [least, most] = [Math.min(...starts), Math.max(...starts)]
  return `${half}; ${starts.length} starts ${least.toFixed(2)} to ${most.toFixed(2)}`
}
