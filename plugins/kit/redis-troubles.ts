import { isNotConnected, stableMessage, troubleOf } from '../../src/store/failure'
import type { Plugin } from './haraka'
import { logTextOnce, type LogOnce } from './log'

/** Where a failure of Redis showed: in the connection, in the answer to a charge, or in a background task. */
export type Source = 'connection' | 'charge' | 'background'

/** A charge that succeeds this soon after one that failed only shows that some succeed, in ms. */
const MIXED = 1000

/** Logs failures of Redis: a line a minute for each kind, and one when Redis answers again. */
export class RedisTroubles {
  private readonly log: LogOnce
  /** Failures that were logged and have not ended, with when they began and were last seen (monotonic ms). */
  private readonly open = new Map<Source, { readonly since: number; last: number }>()
  /** Kinds that only background tasks have met so far. */
  private readonly inBackground = new Set<string>()

  /** @param address of Redis, for the log. */
  constructor(
    private readonly plugin: Plugin,
    private readonly address: string,
  ) {
    this.log = logTextOnce((line) => plugin.logerror(line))
  }

  /** @param error of Redis or of the connection, or its message. */
  tell(source: Source, error: unknown): void {
    // The connection logs the reason itself.
    if (source !== 'connection' && isNotConnected(error)) return
    const trouble = troubleOf(error)
    if (!trouble) {
      const message = stableMessage(error)
      this.log.say(message, `Redis at ${this.address}: ${message}`)
      return
    }
    const { what, advice, single } = trouble
    const whose = single ? 'recipients' : 'unregistered mail'
    const isLogged = this.log.say(
      what,
      `Redis at ${this.address} ${what}; until that is mended, ${whose} cannot be counted: ${advice}`,
    )
    if (single) return
    if (source === 'background') {
      if (isLogged) this.inBackground.add(what)
      return
    }
    const isNew = this.inBackground.delete(what) || isLogged
    const now = performance.now()
    const episode = this.open.get(source)
    if (episode) episode.last = now
    else if (isNew) this.open.set(source, { since: now, last: now })
  }

  /** A charge was answered, or all connections are up: logs it where a failure of that source had been logged. */
  over(source: Source): void {
    if (this.open.size === 0) return
    const episode = this.open.get(source)
    if (!episode) return
    const now = performance.now()
    if (source === 'charge' && now - episode.last < MIXED) return
    this.open.delete(source)
    const seconds = Math.ceil((now - episode.since) / 1000)
    this.plugin.lognotice(`Redis at ${this.address} answers again, after ${seconds} s`)
  }
}
