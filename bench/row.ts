import type { Effort } from './effort'
import type { Plot } from './plot'
import type { Progress } from './progress'

/** What the figure of a row should be, and whether it was. */
export interface Target {
  /** `≤ 1.04` */
  readonly text: string
  readonly met: boolean
}

/** One line of the result. */
export interface Row {
  readonly what: string
  /** The figure with its unit, or why there is none. */
  readonly figure: string
  /** How far it varied, and what stands behind it. */
  readonly detail?: string
  readonly target?: Target
  /** The same for programs. Units are in the names: `ratio`, `perSecond`, `bytes`, `ms`, `us`. */
  readonly numbers?: Readonly<Record<string, number | readonly number[]>>
}

/** Part of the benchmark that runs by itself. */
export interface Section {
  /** What `--only` takes. */
  readonly name: string
  readonly title: string
  /** What its rows mean, for who has not read the code. */
  readonly meaning: string
  /** @param against folder of another version of the plugin, to be compared with. */
  readonly run: (effort: Effort, progress: Progress, against?: string) => Promise<Measured>
}

/** What a section brings. */
export interface Measured {
  readonly rows: readonly Row[]
  readonly plots?: readonly Plot[]
}

/** A target that a figure meets where it is no higher. */
export function atMost(limit: number, figure: number, unit = ''): Target {
  return { text: `≤ ${limit.toLocaleString('en-US')}${unit}`, met: figure <= limit }
}

/** A target that a figure meets where it is no lower. */
export function atLeast(limit: number, figure: number, unit = ''): Target {
  return { text: `≥ ${limit.toLocaleString('en-US')}${unit}`, met: figure >= limit }
}

/** A target that a figure meets where it is lower. */
export function below(limit: number, figure: number, unit = ''): Target {
  return { text: `< ${limit.toLocaleString('en-US')}${unit}`, met: figure < limit }
}

/** A row for what could not be measured here. */
export function skipped(what: string, why: string): Row {
  return { what, figure: 'skipped', detail: why }
}
