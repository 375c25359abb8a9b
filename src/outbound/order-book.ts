import { RefusedError } from '../base/errors'
import { randomToken } from '../records/token'
import { readScript } from '../store/script'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import {
  formatOrder,
  hostText,
  parseAnswer,
  parseHost,
  type Answer,
  type Order,
  type QueueHost,
} from './order'

const PLACE = readScript(__dirname, 'place_order')
const TAKE = readScript(__dirname, 'take_order')
const ANSWER = readScript(__dirname, 'answer_order')

/** How long an order, and the list that a drop is about, is valid, in ms. */
export const VALID = 15 * 60_000
/** After this long another process of a host may carry out an order, unless the one that has taken it renews that. In ms. */
export const LEASE = 30_000
/** Another process finds that within this time, in ms. */
const GRACE = 20_000
const MOST_ORDERS = 100
/** A host that has stopped without saying so is named as silent for this long, in ms. */
const REMEMBERED = 86_400_000

/** A host that follows orders. */
export interface KnownHost {
  readonly host: QueueHost
  /** How long ago it was seen, in ms; `undefined`: it has stopped. */
  readonly ago: number | undefined
}

/** An order that this host carries out. */
export interface TakenOrder {
  readonly id: string
  readonly json: string
}

/** The orders in Redis. They are trusted as Redis is: whoever can write to it can give one. */
export class OrderBook {
  constructor(private readonly store: Store) {}

  /**
   * Gives an order to all hosts.
   *
   * @throws {RefusedError} too many orders are valid now.
   */
  async place(order: Order): Promise<{ readonly id: string; readonly hosts: KnownHost[] }> {
    const { keys } = this.store
    const { task } = order
    const id = randomToken()
    const places = [keys.orders, keys.queueHosts]
    if (task.do === 'drop') places.push(keys.orderIds(task.list))
    const reply = (await this.store.run(PLACE, places, [
      ...[id, formatOrder(order), VALID, MOST_ORDERS, REMEMBERED],
    ])) as string[] | null
    if (!reply) {
      throw new RefusedError(
        `${MOST_ORDERS} orders to the queues of all hosts were given within 15 minutes: wait, or use --local`,
      )
    }
    const [now, ...seen] = reply
    const hosts: KnownHost[] = []
    for (let at = 0; at + 1 < seen.length; at += 2) {
      hosts.push({ host: parseHost(seen[at]!), ago: Number(now) - Number(seen[at + 1]) })
    }
    return { id, hosts }
  }

  /** Names of hosts that have answered. */
  answered(id: string): Promise<string[]> {
    return this.store.client.hkeys(this.store.keys.orderAnswers(id))
  }

  /** Of these hosts, those that carry out the order now, by their names. */
  async working(id: string, hosts: readonly string[]): Promise<string[]> {
    if (hosts.length === 0) return []
    const { client, keys } = this.store
    const [now, states] = await Promise.all([
      serverTime(client),
      client.hmget(keys.queueHosts, ...hosts),
    ])
    const until = (state: string | null | undefined): number =>
      Number(new RegExp(` ${id} (\\d+)`).exec(state ?? '')?.[1] ?? 0)
    return hosts.filter((_host, at) => until(states[at]) + GRACE > now)
  }

  /** The answers to an order, by the names of the hosts. */
  async answers(id: string): Promise<Map<string, Answer>> {
    const answers = await this.store.client.hgetall(this.store.keys.orderAnswers(id))
    const hosts = Object.keys(answers).sort()
    return new Map(hosts.map((host) => [host, parseAnswer(answers[host]!)]))
  }

  /** Ends an order. @param keepIds for a drop of what was listed. */
  async withdraw(id: string, keepIds = false): Promise<void> {
    const { client, keys } = this.store
    await client.hdel(keys.orders, id)
    await client.unlink(keys.orderAnswers(id))
    if (!keepIds) await client.unlink(keys.orderIds(id))
  }

  /** Notes that this host follows orders, and takes one that is to be carried out. */
  async take(host: QueueHost): Promise<TakenOrder | undefined> {
    const [id, json] = await this.follow(host, 'take')
    return id === undefined || json === undefined ? undefined : { id, json }
  }

  /** Goes on with an order that this host has taken. */
  async renew(host: QueueHost, id: string): Promise<void> {
    await this.follow(host, 'renew', id)
  }

  /** Notes that this host no longer follows orders. */
  async leave(host: QueueHost): Promise<void> {
    await this.follow(host, 'stop')
  }

  private async follow(host: QueueHost, ...does: string[]): Promise<string[]> {
    const { keys } = this.store
    const places = [keys.orders, keys.queueHosts, keys.lost]
    return (await this.store.run(TAKE, places, [
      ...[hostText(host), VALID, LEASE],
      ...does,
    ])) as string[]
  }

  /** @param ids of messages that a drop may name. */
  async answer(
    host: QueueHost,
    id: string,
    answer: Answer,
    ids: readonly string[] = [],
  ): Promise<void> {
    const { keys } = this.store
    const places = [keys.orders, keys.queueHosts, keys.orderAnswers(id), keys.orderIds(id)]
    const args = [hostText(host), id, JSON.stringify(answer), ids.join(' '), VALID]
    await this.store.run(ANSWER, places, args)
  }

  /** Ids of the messages that a host has listed; `undefined`: the list is not valid any more. */
  async listed(list: string, host: QueueHost): Promise<Set<string> | undefined> {
    const ids = await this.store.client.hget(this.store.keys.orderIds(list), hostText(host))
    return ids === null ? undefined : new Set(ids.split(' '))
  }
}
