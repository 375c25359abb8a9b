const INTERVAL = 60_000
const MOST_MESSAGES = 100

/** Says the same message once a minute at most, and how often it was withheld: an outage must not flood the log. */
export class Quiet {
  private readonly withheld = new Map<string, { since: number; count: number }>()

  constructor(private readonly log: (message: string) => void) {}

  say(message: string): void {
    const now = performance.now()
    const known = this.withheld.get(message)
    if (known && now - known.since < INTERVAL) {
      known.count++
      return
    }
    if (this.withheld.size >= MOST_MESSAGES) this.withheld.clear()
    this.withheld.set(message, { since: now, count: 0 })
    this.log(known && known.count > 0 ? `${message} (${known.count} more since)` : message)
  }
}
