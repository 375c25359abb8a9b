import { isNotConnected, stableMessage, troubleOf } from '../../src/store/failure'
import type { Plugin } from '../kit/haraka'
import { lineOf, Quiet } from '../kit/quiet'

/** Where a trouble showed: on the way to Redis, in the answer to a charge, or in what is asked in the background. */
export type Source = 'connection' | 'charge' | 'background'

/** A charge that succeeds so soon after one that failed says only that some do, in ms. */
const MIXED = 1000

/** Writes what is wrong with Redis into the log: a line a minute for each kind of trouble, and one when it is over. */
export class Troubles {
  private readonly quiet: Quiet
  /** What has been told and is not over, with when it began and was seen last (monotonic ms). */
  private readonly open = new Map<Source, { readonly since: number; last: number }>()
  /** What stands in the log because of the background alone. */
  private readonly inBackground = new Set<string>()

  /** @param address where Redis is. */
  constructor(
    private readonly plugin: Plugin,
    private readonly address: string,
  ) {
    this.quiet = new Quiet((text, repeats) => plugin.logerror(lineOf(text, repeats)))
  }

  /** @param error an error of Redis or of the way to it, or its message. */
  tell(source: Source, error: unknown): void {
    // Why, the connection itself tells.
    if (source !== 'connection' && isNotConnected(error)) return
    const trouble = troubleOf(error)
    if (!trouble) {
      const message = stableMessage(error)
      this.quiet.say(message, `Redis at ${this.address}: ${message}`)
      return
    }
    const { what, advice, single } = trouble
    const whose = single ? 'recipients' : 'unregistered mail'
    const told = this.quiet.say(
      what,
      `Redis at ${this.address} ${what}; until that is mended, ${whose} cannot be counted: ${advice}`,
    )
    if (single) return
    if (source === 'background') {
      if (told) this.inBackground.add(what)
      return
    }
    const stands = this.inBackground.delete(what) || told
    const now = performance.now()
    const episode = this.open.get(source)
    if (episode) episode.last = now
    else if (stands) this.open.set(source, { since: now, last: now })
  }

  /** Redis answers: to a charge; or all connections are up. Says so where something else had been told. */
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
