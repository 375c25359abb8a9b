import { createHistogram } from 'node:perf_hooks'

const MINUTE = 60_000
/** Of the longest duration that is told apart from longer ones, in µs. */
const LONGEST = 60_000_000

/** Some durations of a minute, in ms. */
export interface Percentiles {
  readonly p50: number
  readonly p99: number
}

/** Durations of the last whole minute, to one percent; 20 kB. */
export class LastMinute {
  private readonly histogram = createHistogram({ lowest: 1, highest: LONGEST, figures: 2 })
  private begun = performance.now()
  private last: Percentiles | null = null

  /** @param ms a duration. */
  record(ms: number): void {
    this.turn()
    this.histogram.record(Math.min(LONGEST, Math.max(1, Math.round(ms * 1000))))
  }

  /** `null`: there were none. */
  read(): Percentiles | null {
    this.turn()
    return this.last
  }

  private turn(): void {
    const now = performance.now()
    const age = now - this.begun
    if (age < MINUTE) return
    this.last = age < 2 * MINUTE ? this.percentiles() : null
    this.histogram.reset()
    this.begun = now
  }

  private percentiles(): Percentiles | null {
    const { histogram } = this
    if (histogram.count === 0) return null
    return { p50: histogram.percentile(50) / 1000, p99: histogram.percentile(99) / 1000 }
  }
}
