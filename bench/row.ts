import type { Picture } from './chart'
import { median, quantile, type Times } from './stats'

/** The target of a figure, and whether it is met. */
export interface Target {
  /** `≤ 1.04 ×` */
  readonly text: string
  readonly met: boolean
}

/** One line of the result. */
export interface Row {
  readonly what: string
  /** The figure with its unit, or why there is none. */
  readonly figure: string
  /** Its spread, and other figures that explain it. */
  readonly detail?: string
  readonly target?: Target
  /** The figure of the other version. */
  readonly before?: string
  /** Shown among the targets to compare with: a floor, or another plugin. */
  readonly context?: boolean | undefined
  /** The numbers for programs. Units are in the names: `ratio`, `perSecond`, `bytes`, `ms`, `us`. */
  readonly numbers?: Readonly<Record<string, number | readonly number[]>>
}

/** What a section measured. */
export interface Measured {
  readonly rows: readonly Row[]
  readonly pictures?: readonly Picture[]
}

/** The options of a section. */
export interface Run {
  /** Only shows that everything works: too short for results. */
  readonly quick: boolean
  /** Prints the progress. */
  readonly say: (step: string) => void
  /** Folder of another version of the plugin, built, to measure beside this one. */
  readonly against?: string
}

/** An independent part of the benchmark. */
export interface Section {
  /** The name for `--only`. */
  readonly name: string
  readonly title: string
  /** Explains its rows to a reader who has not seen the code. */
  readonly meaning: string
  readonly run: (run: Run) => Promise<Measured>
}

export function atMost(limit: number, figure: number, unit = ''): Target {
  return { text: `≤ ${limit.toLocaleString('en-US')}${unit}`, met: figure <= limit }
}

export function atLeast(limit: number, figure: number, unit = ''): Target {
  return { text: `≥ ${limit.toLocaleString('en-US')}${unit}`, met: figure >= limit }
}

/** Both in bytes. */
export function atMostMegabytes(limit: number, figure: number): Target {
  return { text: `≤ ${megabytes(limit)}`, met: figure <= limit }
}

/** A row for a figure that could not be measured here. */
export function skipped(what: string, why: string): Row {
  return { what, figure: 'skipped', detail: why }
}

/** `1,234,567` */
export function whole(figure: number): string {
  return Math.round(figure).toLocaleString('en-US')
}

/** `1.045 ×` */
export function asRatio(ratio: number): string {
  return `${ratio.toFixed(3)} ×`
}

/** `12.3 MB` */
export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`
}

/** Ratios of each start of the servers: two equal processes differ, too. */
export type Ratios = readonly (readonly number[])[]

/**
 * The median of paired ratios.
 *
 * @param before the ratios of the other version
 * @param targetOf `atMost` or `atLeast`, where there is a target
 */
export function ratioRow(
  what: string,
  byStart: Ratios,
  target?: number,
  {
    before,
    targetOf = atMost,
    detail,
    context,
  }: Pick<Row, 'detail' | 'context'> & {
    before?: Ratios | undefined
    targetOf?: typeof atMost
  } = {},
): Row {
  const ratios = byStart.flat()
  const starts = byStart.map(median)
  const ratio = median(ratios)
  const range = (low: number, high: number): string => `${low.toFixed(2)} to ${high.toFixed(2)}`
  const quartiles = [quantile(ratios, 0.25), quantile(ratios, 0.75)] as const
  const spread = [
    `half of ${ratios.length} pairs ${range(...quartiles)}`,
    ...(starts.length > 1
      ? [`${starts.length} starts ${range(Math.min(...starts), Math.max(...starts))}`]
      : []),
  ]
  return {
    what,
    figure: asRatio(ratio),
    ...(before && { before: asRatio(median(before.flat())) }),
    detail: [...spread, ...(detail === undefined ? [] : [detail])].join('; '),
    ...(target !== undefined && { target: targetOf(target, ratio, ' ×') }),
    ...(context && { context }),
    numbers: { ratio, quartiles, starts },
  }
}

/**
 * The 99th percentile of durations.
 *
 * @param most the target, in ms
 */
export function timesRow(what: string, times: Times, most?: number): Row {
  const [p50, p99] = [times.quantile(0.5), times.quantile(0.99)]
  return {
    what: `${what}, p99`,
    figure: `${p99.toFixed(2)} ms`,
    detail: `p50 ${p50.toFixed(2)} ms, longest of ${whole(times.count)} ${times.longest.toFixed(1)} ms`,
    ...(most !== undefined && { target: atMost(most, p99, ' ms') }),
    numbers: { p50Ms: p50, p99Ms: p99, longestMs: times.longest, count: times.count },
  }
}
