import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from '../../scripts/services/scratch'
import { carryOut } from '../../src/operations/queue-host'
import { OrderBook } from '../../src/outbound/order-book'
import { parseOrder, type QueueHost } from '../../src/outbound/order'
import { parseConfig } from '../../src/process/config'
import type { Store } from '../../src/store/store'

/** A host with a queue directory of its own, which carries out orders as the plugin does, in this process. */
export class OrderedHost {
  readonly host: QueueHost
  readonly book: OrderBook
  private readonly settings = parseConfig({ restriction: { queued: 'hold' } }, '/nowhere').config

  constructor(
    private readonly store: Store,
    name: string,
  ) {
    const directory = path.join(scratchDir(name), 'queue')
    mkdirSync(directory)
    this.host = { name, directory }
    this.book = new OrderBook(store)
  }

  /** Takes an order, and answers it. @returns whether there was one. */
  async turn(): Promise<boolean> {
    const { store, book, settings, host } = this
    const taken = await book.take(host)
    if (!taken) return false
    const place = { store, book, settings, host }
    const { answer, ids } = await carryOut(place, parseOrder(taken.json)!)
    await book.answer(host, taken.id, answer, ids)
    return true
  }
}

/** Runs `work` while hosts carry out orders. */
export async function served<T>(hosts: readonly OrderedHost[], work: () => Promise<T>): Promise<T> {
  // A host is known from its first look on.
  await Promise.all(hosts.map((each) => each.turn()))
  let isOver = false
  const working = work().finally(() => (isOver = true))
  const serve = async (each: OrderedHost): Promise<void> => {
    while (!isOver) await each.turn()
  }
  await Promise.all(hosts.map(serve))
  return working
}
