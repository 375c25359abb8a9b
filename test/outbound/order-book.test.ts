import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { hostText, parseOrder, type Order, type QueueHost } from '../../src/outbound/order'
import { OrderBook } from '../../src/outbound/order-book'
import { reportLost } from '../../src/registry/lost-changes'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'

const ORDER: Order = {
  ...{ tenant: 'contoso', epoch: 'e', by: 'ann\tdefault\t' },
  task: { do: 'list', where: [{ key: 'domain', value: 'bank', start: true }], for: 'list' },
}
const MX1: QueueHost = { name: 'mx1', directory: '/var/spool/haraka/queue' }
const ANSWER = { did: 'none' } as const

describe('orders to queues', () => {
  let redis: TestRedis
  let store: Store
  let book: OrderBook
  let prefixes = 0

  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  beforeEach(() => {
    store = new Store(redis.client(), new Keys(`o${++prefixes}:`))
    book = new OrderBook(store)
  })

  async function place(): Promise<string> {
    const { id } = await book.place(ORDER)
    return id
  }

  /** Sets when an order was placed. */
  async function placedAt(id: string, at: number): Promise<void> {
    const order = (await store.client.hget(store.keys.orders, id)) ?? ''
    await store.client.hset(store.keys.orders, id, order.replace(/^\d+/, String(at)))
  }

  it('are taken once by each host, whichever process asks', async () => {
    const id = await place()
    const two = await Promise.all([book.take(MX1), new OrderBook(store).take(MX1)])
    const [taken, none] = two.toSorted((a) => (a ? -1 : 1))
    assert.deepEqual(parseOrder(taken!.json), ORDER)
    assert.deepEqual([taken?.id, none], [id, undefined])
    assert.deepEqual((await book.take({ ...MX1, name: 'mx2' }))?.id, id)
    await book.answer(MX1, id, ANSWER)
    await book.answer(MX1, id, { did: 'fail', reason: 'later' })
    assert.equal(await book.take(MX1), undefined)
    assert.deepEqual([...(await book.answers(id))], [[hostText(MX1), ANSWER]], 'the first counts')
  })

  it('are taken again where the process that took one is gone, and one after the other', async () => {
    const ids = [await place(), await place()]
    const first = (await book.take(MX1))!.id
    const second = (await book.take(MX1))!.id
    assert.deepEqual([first, second].toSorted(), ids.toSorted())
    assert.deepEqual(await book.working(first, [hostText(MX1)]), [hostText(MX1)])
    await book.answer(MX1, second, ANSWER)
    const states = (await store.client.hget(store.keys.queueHosts, hostText(MX1))) ?? ''
    const over = states.replace(new RegExp(`${first} \\d+`), `${first} 1`)
    await store.client.hset(store.keys.queueHosts, hostText(MX1), over)
    assert.deepEqual(await book.working(first, [hostText(MX1)]), [])
    await book.renew(MX1, first)
    assert.equal(await book.take(MX1), undefined, 'the process goes on with it')
    await store.client.hset(store.keys.queueHosts, hostText(MX1), over)
    assert.equal((await book.take(MX1))?.id, first)
    assert.equal(await book.take(MX1), undefined)
  })

  it('are not carried out after 15 minutes, nor before they were given, nor from before Redis went back', async () => {
    const id = await place()
    await placedAt(id, Date.now() - 16 * 60_000)
    assert.equal(await book.take(MX1), undefined)
    await placedAt(id, Date.now() + 60_000)
    assert.equal(await book.take(MX1), undefined)
    await placedAt(id, Date.now() - 14 * 60_000)
    const back = { kind: 'back', subject: 'contoso', known: 2e15, found: 1e15 } as const
    await reportLost(store, [{ ...back, what: 'lift', case: '', time: 2e12 }])
    assert.equal(await book.take(MX1), undefined)
    assert.equal((await book.place(ORDER)).hosts.length, 1)
    assert.notEqual(await book.take(MX1), undefined)
  })

  it('know the hosts that follow, and not those that have stopped or were silent for a day', async () => {
    await book.take(MX1)
    await book.take({ ...MX1, directory: '/other' })
    await book.leave({ ...MX1, directory: '/other' })
    await store.client.hset(store.keys.queueHosts, 'old:/queue', Date.now() - 25 * 3_600_000)
    const { hosts } = await book.place(ORDER)
    assert.deepEqual(
      hosts.map(({ host }) => host),
      [MX1],
    )
    assert.equal(await store.client.hexists(store.keys.queueHosts, 'old:/queue'), 0)
  })

  it('are bounded, and vanish', async () => {
    for (let number = 0; number < 100; number++) await place()
    await assert.rejects(place(), /100 orders .* within 15 minutes/)
    const [id = ''] = await store.client.hkeys(store.keys.orders)
    await placedAt(id, Date.now() - 16 * 60_000)
    await place()
    assert.equal(await store.client.hexists(store.keys.orders, id), 0)
    assert.ok((await store.client.pttl(store.keys.orders)) > 0)
  })

  it('of another form are not understood', () => {
    for (const text of [
      ...['', '{}', 'null', '[]', '{"tenant":"a","epoch":"","by":"","task":null}'],
      '{"tenant":"No Id","epoch":"","by":"","task":{"do":"list","where":[],"for":"list"}}',
      '{"tenant":"a","epoch":"","by":"","task":{"do":"eat","list":"x","hosts":[]}}',
      '{"tenant":"a","epoch":"","by":"","task":{"do":"list","where":["x=1"],"for":"list"}}',
      '{"tenant":"a","epoch":"","by":"","task":{"do":"drop","list":"x","hosts":[1]}}',
    ]) {
      assert.equal(parseOrder(text), undefined, text)
    }
  })
})
