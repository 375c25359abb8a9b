// A process of its own that loads once what a worker of Haraka would load, and tells its parent how that went.
import { Directory } from '../src/directory/directory'
import { openStore } from './store'

/** What to load, from the Redis on this port. */
export interface Order {
  readonly port: number
  /** A tenant's snapshot; `undefined`: the connectors. */
  readonly tenant?: string
}

export interface Loaded {
  readonly items: number
  readonly ms: number
  /** The longest time in which the event loop did nothing else, in ms. */
  readonly stall: number
}

/** Turns the event loop without a pause and keeps the longest turn. */
class StallWatch {
  longest = 0
  #turn: NodeJS.Immediate | undefined
  #last = performance.now()

  constructor() {
    const turn = (): void => {
      const now = performance.now()
      this.longest = Math.max(this.longest, now - this.#last)
      this.#last = now
      this.#turn = setImmediate(turn)
    }
    this.#turn = setImmediate(turn)
  }

  stop(): void {
    clearImmediate(this.#turn)
  }
}

async function load({ port, tenant }: Order): Promise<Loaded> {
  const store = await openStore(port)
  const directory = new Directory(store, { onReady() {}, onRestriction() {}, onError() {} })
  const watch = new StallWatch()
  const begin = performance.now()
  let items: number
  if (tenant === undefined) {
    await directory.loadConnectors()
    items = directory.connectors?.size ?? 0
  } else {
    items = (await directory.load(tenant))?.domains.size ?? 0
  }
  const ms = performance.now() - begin
  watch.stop()
  return { items, ms, stall: watch.longest }
}

process.once('message', (order: Order) => {
  void load(order).then((loaded) => process.send?.(loaded, () => process.exit(0)))
})
