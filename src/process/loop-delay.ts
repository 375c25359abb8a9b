import { LastMinute } from '../base/last-minute'

/** In ms: a process that is woken ten times a second shows in what an idle one costs. */
const EVERY = 500

/**
 * How late the timers of this process are, since the event loop is busy: 120 samples a minute. Not `monitorEventLoopDelay`: its
 * histogram, once reset, takes 0.4 MB of each process.
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
