import { performance } from 'node:perf_hooks'
import type { Client } from './store'

/** The part of a smaller offset that is accepted: the reply may just be late. */
const TRUST_IN_LATE = 0.05

/** No reply comes so late, in ms: the server's clock was set back. */
const SET_BACK = 10_000

/**
 * An estimate of the server's clock, by our monotonic clock and the times in replies. It runs behind the server's clock by
 * the latency of a reply, never ahead of it.
 */
export class ServerClock {
  /** Server time minus our monotonic clock, in ms. */
  private offset: number | undefined

  constructor(private readonly client: Client) {
    // After a reconnect it may be another server.
    client.on('ready', () => (this.offset = undefined))
  }

  /**
   * The server's time, in ms since the epoch, at a moment of our monotonic clock. Asks for it where no reply has brought
   * it since the connection was made.
   *
   * @throws where Redis gives no answer.
   */
  at(moment: number): number | Promise<number> {
    return this.offset === undefined ? this.ask(moment) : moment + this.offset
  }

  /** Notes the server time, in ms, of a reply that has just come. */
  observe(serverTime: number): void {
    const offset = serverTime - performance.now()
    const { offset: known } = this
    const isLate = known !== undefined && offset < known && known - offset < SET_BACK
    this.offset = isLate ? known + (offset - known) * TRUST_IN_LATE : offset
  }

  private async ask(moment: number): Promise<number> {
    this.observe(await serverTime(this.client))
    return moment + this.offset!
  }
}

const clocks = new WeakMap<Client, ServerClock>()

/** The clock of the server of a connection: one for all who use the connection, since each listens to it. */
export function clockOf(client: Client): ServerClock {
  const known = clocks.get(client)
  if (known) return known
  const clock = new ServerClock(client)
  clocks.set(client, clock)
  return clock
}

/**
 * Asks for the server's time, in ms since the epoch; of a Cluster, that of any node.
 *
 * @throws where Redis gives no answer.
 */
export async function serverTime(client: Client): Promise<number> {
  const [seconds, microseconds] = await client.time()
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
}
