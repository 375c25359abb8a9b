const INTERVAL = 60_000

/** Refusals since the last report. */
export interface RefusalCount {
  readonly tenant: string
  readonly connector: string
  readonly count: number
}

/**
 * Keeps a spammer from writing the log: of the refusals of one connector the first is told, then a count a minute,
 * until a minute goes by without any.
 */
export class RefusalLog {
  private readonly counts = new Map<string, { tenant: string; connector: string; count: number }>()
  private timer: NodeJS.Timeout | undefined

  /** @param report is called once a minute for each connector that was refused meanwhile. */
  constructor(private readonly report: (refusals: RefusalCount) => void) {}

  /** Counts a refusal; true: it is the first, and the caller logs it. */
  isFirst(tenant: string, connector: string): boolean {
    const key = `${tenant}\t${connector}`
    const known = this.counts.get(key)
    if (known) {
      known.count++
      return false
    }
    this.counts.set(key, { tenant, connector, count: 0 })
    this.timer ??= setInterval(() => this.flush(), INTERVAL).unref()
    return true
  }

  /** Reports what has been counted, and ends the timer where nothing is counted any more. */
  flush(): void {
    for (const [key, refusals] of this.counts) {
      if (refusals.count === 0) {
        this.counts.delete(key)
      } else {
        this.report({ ...refusals })
        refusals.count = 0
      }
    }
    if (this.counts.size === 0) this.stop()
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }
}
