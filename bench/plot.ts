interface Common {
  /** Of the SVG file. */
  readonly name: string
  readonly title: string
  /** What the numbers are: `CPU a message, Haraka alone = 1`. */
  readonly measure: string
}

export interface Samples {
  readonly label: string
  readonly samples: readonly number[]
}

export interface Values {
  readonly label: string
  /** One for each category; `null`: none. */
  readonly values: readonly (number | null)[]
}

/** How far samples vary: half of them in the box, nine tenths between the whiskers. */
export interface SpreadPlot extends Common {
  readonly kind: 'spread'
  readonly items: readonly (Samples & { readonly target?: number })[]
}

/** One bar or several for each category, each with its number. */
export interface BarPlot extends Common {
  readonly kind: 'bars'
  readonly categories: readonly string[]
  readonly series: readonly Values[]
}

/** Columns for each category, and what they should not exceed. */
export interface ColumnPlot extends Common {
  readonly kind: 'columns'
  readonly categories: readonly string[]
  readonly series: readonly Values[]
  readonly target?: number
}

/** The share of samples up to each value. */
export interface DistributionPlot extends Common {
  readonly kind: 'distribution'
  readonly series: readonly Samples[]
}

/** How something goes on. */
export interface LinePlot extends Common {
  readonly kind: 'lines'
  /** What x is: `minutes`. */
  readonly unit: string
  readonly series: readonly {
    readonly label: string
    /** x and y */
    readonly points: readonly (readonly [number, number])[]
  }[]
}

/** What a picture shows; `chart.ts` draws it. */
export type Plot = SpreadPlot | BarPlot | ColumnPlot | DistributionPlot | LinePlot
