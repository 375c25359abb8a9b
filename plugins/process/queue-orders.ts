import { hostname } from 'node:os'
import { coalesced } from '../../src/base/coalesce'
import { queueDirectory } from '../../src/config/haraka-files'
import { RegistryUnusable } from '../../src/directory/registry-monitor'
import { carryOut, type CarriedOut } from '../../src/operations/queue-host'
import { parseOrder, type Order, type QueueHost } from '../../src/outbound/order'
import { LEASE, OrderBook, type TakenOrder } from '../../src/outbound/order-book'
import type { Config } from '../../src/process/config'
import type { Engine } from '../../src/process/engine'
import { isNotConnected, redisFailure } from '../../src/store/failure'
import type { Plugin } from '../kit/haraka'
import { logTextOnce, type LogOnce } from '../kit/log'
import { configDirectory } from './ini-file'

/** How often this host says that it follows orders, and looks for one whose announcement it missed, in ms. */
const EVERY = 15_000

/** The lane of answers; no tenant id begins like this. */
const LANE = '@queue'

/**
 * Carries out orders to the queue of this host, in the leading process of each Haraka: one at a time, and no hook waits for
 * any of it.
 */
export class QueueOrders {
  private readonly host: QueueHost
  private readonly log: LogOnce
  private engine: Engine | undefined
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly plugin: Plugin,
    private readonly config: () => Config,
  ) {
    this.host = { name: hostname(), directory: queueDirectory(configDirectory(plugin)) }
    this.log = logTextOnce((line) => plugin.logwarn(line))
  }

  /** Follows orders from now on. */
  begin(engine: Engine): void {
    if (this.timer) return
    this.engine = engine
    this.timer = setInterval(() => this.look(), EVERY).unref()
    engine.onConnected(() => this.look())
    this.look()
  }

  /** Looks for orders; in a process that does not lead nothing happens. Never throws. */
  look(): void {
    if (this.timer) void this.carryOutAll().catch((error: unknown) => this.failed(error))
  }

  /** Leaves orders to the next process; one that is being carried out is completed. */
  stop(): void {
    const { engine, timer } = this
    if (!engine || !timer) return
    clearInterval(timer)
    this.timer = undefined
    void new OrderBook(engine.store).leave(this.host).catch(() => {})
  }

  private readonly carryOutAll = coalesced(async () => {
    const { engine } = this
    if (!engine) return
    // Another registry must not be written, nor orders be taken from it.
    await engine.directory.registry.check()
    while (this.timer) {
      const taken = await new OrderBook(engine.store).take(this.host)
      if (!taken) return
      await this.carryOut(engine, taken)
    }
  })

  private async carryOut(engine: Engine, { id, json }: TakenOrder): Promise<void> {
    const { host } = this
    const book = new OrderBook(engine.store)
    const order = parseOrder(json)
    const renewing = setInterval(() => void book.renew(host, id).catch(() => {}), LEASE / 3)
    const answering = this.answerTo(engine, book, order)
    const { answer, ids = [] } = await answering.finally(() => clearInterval(renewing))
    this.plugin.loginfo('queue order', { tenant: order?.tenant, do: order?.task.do, id })
    // While Redis is away the answer waits.
    engine.inBackground(LANE, () => book.answer(host, id, answer, ids))
  }

  private async answerTo(
    { store, directory }: Engine,
    book: OrderBook,
    order: Order | undefined,
  ): Promise<CarriedOut> {
    if (!order) return failed('it runs another version, which does not know this order')
    if (order.epoch !== (directory.registry.epoch ?? '')) return failed('it knows another registry')
    return carryOut({ store, book, settings: this.config(), host: this.host }, order)
  }

  private failed(error: unknown): void {
    // Others log these.
    if (isNotConnected(error) || error instanceof RegistryUnusable) return
    const message = `orders to this queue wait: ${redisFailure(error)}`
    this.log.say(message, message)
  }
}

function failed(reason: string): CarriedOut {
  return { answer: { did: 'fail', reason } }
}
