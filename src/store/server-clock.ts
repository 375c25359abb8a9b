import { performance } from 'node:perf_hooks'
import type { Client } from './store'

/** How much of a smaller offset is believed: it may only mean that a reply came late. */
const TRUST_IN_LATE = 0.05

/** No reply comes so late, in ms: the server's clock was set back. */
const SET_BACK = 10_000

/**
 * The server's clock as far as this process can tell, by our monotonic clock and the offset that replies show. It runs
 * behind the server by the way of a reply, never ahead of it.
 */
export class ServerClock {
  /** Server time minus our monotonic clock, in ms. */
  private offset: number | undefined

  constructor(private readonly client: Client) {
    // After a reconnect it may be another server.
    client.on('ready', () => (this.offset = undefined))
  }

  /**
   * The server's time in ms since the epoch. Asks for it (`TIME`) where no reply has shown it since the connection
   * came up.
   *
   * @throws where that question gets no answer.
   */
  now(): number | Promise<number> {
    return this.offset === undefined ? this.ask() : performance.now() + this.offset
  }

  /** Takes the server time, in ms, that a reply has just brought. */
  observe(serverTime: number): void {
    const offset = serverTime - performance.now()
    const { offset: known } = this
    const isLate = known !== undefined && offset < known && known - offset < SET_BACK
    this.offset = isLate ? known + (offset - known) * TRUST_IN_LATE : offset
  }

  private async ask(): Promise<number> {
    this.observe(await serverTime(this.client))
    return performance.now() + this.offset!
  }
}

/**
 * The server's time in ms since the epoch.
 *
 * @throws where there is no answer.
 */
export async function serverTime(client: Client): Promise<number> {
  const [seconds, microseconds] = await client.time()
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
}
