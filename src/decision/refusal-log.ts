const INTERVAL = 60_000
/** Addresses without a tenant that are told apart; connectors are as many as operators have registered. */
const MOST_ADDRESSES = 1000
const OTHERS = 'other addresses'

/** What refusals have in common that are told together. */
export interface RefusalKind {
  readonly tenant: string
  /**
   * `tenant/name`. Empty where the tenant was recognised without one: its stolen password may come from any number of
   * addresses. Without a tenant the address; of more than 1000 of these at a time the rest are one: `other addresses`.
   */
  readonly connector: string
  readonly reason: string
}

/** Refusals since the last report. */
export interface RefusalCount extends RefusalKind {
  readonly count: number
  /** What they were counted over. */
  readonly seconds: number
}

/**
 * Keeps a spammer from writing the log: of the refusals of one connector for one reason the first is told, then a count
 * a minute, until a minute goes by without any.
 */
export class RefusalLog {
  private readonly counts = new Map<string, RefusalKind & { count: number }>()
  /** How many of the counts are of an address without a tenant. */
  private addresses = 0
  private timer: NodeJS.Timeout | undefined

  /** @param report is called once a minute for each kind of which there were any. */
  constructor(private readonly report: (refusals: RefusalCount) => void) {}

  /** Counts a refusal; true: it is the first, and the caller logs it. */
  isFirst(kind: RefusalKind): boolean {
    const key = `${kind.tenant}\t${kind.connector}\t${kind.reason}`
    const known = this.counts.get(key)
    if (known) {
      known.count++
      return false
    }
    if (kind.tenant === '' && kind.connector !== OTHERS) {
      // Anybody can come from any number of them.
      if (this.addresses === MOST_ADDRESSES) return this.isFirst({ ...kind, connector: OTHERS })
      this.addresses++
    }
    this.counts.set(key, { ...kind, count: 0 })
    this.timer ??= setInterval(() => this.flush(), INTERVAL).unref()
    return true
  }

  /** Reports what has been counted, and ends the timer where nothing is counted any more. */
  flush(): void {
    for (const [key, refusals] of this.counts) {
      if (refusals.count === 0) {
        this.counts.delete(key)
        if (refusals.tenant === '' && refusals.connector !== OTHERS) this.addresses--
      } else {
        this.report({ ...refusals, seconds: INTERVAL / 1000 })
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
