import { LastMinute, type Percentiles } from '../base/last-minute'

/** Between the end of one charge that is timed and the begin of the next, in ms. */
const PAUSE = 20

/** How long charges take, by some of them: one at a time. To the others it costs one comparison. */
export class ChargeTimes {
  /** A charge that begins later than this is timed; monotonic ms. */
  after = 0
  private times: LastMinute | undefined

  /** Times a charge. @param begun monotonic ms. */
  time(charge: Promise<unknown>, begun: number): void {
    this.after = Infinity
    const ended = (): void => {
      const now = performance.now()
      this.times ??= new LastMinute()
      this.times.record(now - begun)
      this.after = now + PAUSE
    }
    charge.then(ended, ended)
  }

  /** Of the last whole minute; `null`: there were none. */
  read(): Percentiles | null {
    return this.times?.read() ?? null
  }
}
