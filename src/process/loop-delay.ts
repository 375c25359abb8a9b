import { LastMinute } from '../base/last-minute'

const EVERY = 100

/**
 * How late the timers of this process are, since the event loop is busy. Not `monitorEventLoopDelay`: its histogram, once
 * reset, takes 0.4 MB of each process.
 */
export class LoopDelay {
  private readonly delays = new LastMinute()

  /** Measures from now on. It does not keep the process alive. */
  start(): void {
    let last = performance.now()
    setInterval(() => {
      const now = performance.now()
      this.delays.record(now - last - EVERY)
      last = now
    }, EVERY).unref()
  }

  /** Of the last whole minute in ms; `null`: there was none. */
  read(): { readonly p99: number } | null {
    const percentiles = this.delays.read()
    return percentiles && { p99: percentiles.p99 }
  }
}
