import assert from 'node:assert/strict'
import { setMaxListeners } from 'node:events'
import { after, describe, it } from 'node:test'
import { Limiter, mapLimited, type Leave } from '../../src/base/limiter'

const LONG = 60_000

/** Ends what still waits when the tests are over. */
const over = new AbortController()
setMaxListeners(0, over.signal)
after(() => over.abort())

/** Enters at once, as the test says. */
async function entered(limiter: Limiter, name: string): Promise<Leave> {
  const leave = await limiter.enter(name, LONG)
  assert.ok(leave, `${name} has no place`)
  return leave
}

/** Waits in the background; `order` tells who got a place. */
function waits(limiter: Limiter, name: string, order: string[], signal = over.signal): void {
  void limiter.enter(name, LONG, signal).then((leave) => order.push(leave ? name : `no ${name}`))
}

/** All that has been decided has reached those who wait for it. */
const told = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('mapLimited', () => {
  it('gives all results in their order, however long each takes', async () => {
    const order: number[] = []
    const results = await mapLimited([3, 2, 1], 3, async (turns) => {
      for (let turn = 0; turn < turns; turn++) await told()
      order.push(turns)
      return turns * 10
    })
    assert.deepEqual(results, [30, 20, 10])
    assert.deepEqual(order, [1, 2, 3])
  })

  it('runs no more than so many at a time, and begins the next when one ends', async () => {
    let running = 0
    const most: number[] = []
    await mapLimited(Array.from({ length: 10 }), 3, async () => {
      most.push(++running)
      await told()
      running--
    })
    assert.equal(Math.max(...most), 3)
    assert.equal(most.length, 10)
  })

  it('begins nothing more once one has failed', async () => {
    const begun: number[] = []
    const work = mapLimited([1, 2, 3, 4, 5, 6], 2, async (each) => {
      begun.push(each)
      await told()
      if (each === 2) throw new Error('two')
      await told()
    })
    await assert.rejects(work, /two/)
    for (let turn = 0; turn < 5; turn++) await told()
    assert.deepEqual(begun, [1, 2])
  })
})

describe('Limiter', () => {
  it('lets one that is alone have half of the places, and its next in their order', async () => {
    const limiter = new Limiter(4, 10)
    const leave = await entered(limiter, 'a')
    await entered(limiter, 'a')
    const order: string[] = []
    void limiter.enter('a', LONG, over.signal).then(() => order.push('third'))
    void limiter.enter('a', LONG, over.signal).then(() => order.push('fourth'))
    await told()
    assert.deepEqual(order, [])
    leave()
    await told()
    assert.deepEqual(order, ['third'])
  })

  it('has a place for a newcomer, though nobody leaves', async () => {
    const limiter = new Limiter(8, 100)
    for (let each = 0; each < 20; each++) waits(limiter, 'a', [])
    for (let each = 0; each < 20; each++) waits(limiter, 'b', [])
    for (const newcomer of ['c', 'd']) await entered(limiter, newcomer)
  })

  it('gives a place that is free again to the one that holds the fewest', async () => {
    const limiter = new Limiter(3, 10)
    const leave = await entered(limiter, 'a')
    await entered(limiter, 'b')
    const last = await entered(limiter, 'c')
    const order: string[] = []
    for (const name of ['b', 'b', 'd']) waits(limiter, name, order)
    leave()
    await told()
    assert.deepEqual(order, ['d'])
    last()
    await told()
    assert.deepEqual(order, ['d'], 'b holds one, and one is free')
  })

  it('takes those who hold as many in turn', async () => {
    const limiter = new Limiter(1, 100)
    let leave = await entered(limiter, 'z')
    const order: string[] = []
    for (const name of ['a', 'a', 'a', 'b', 'b']) {
      void limiter.enter(name, LONG).then((next) => {
        order.push(name)
        leave = next!
      })
    }
    for (let turn = 0; turn < 5; turn++) {
      leave()
      await told()
    }
    assert.deepEqual(order, ['a', 'b', 'a', 'b', 'a'])
  })

  it('tells who waited too long, whose turn goes to the next', async () => {
    const limiter = new Limiter(1, 10)
    const leave = await entered(limiter, 'a')
    assert.equal(await limiter.enter('b', 1), undefined)
    const next = limiter.enter('b', LONG)
    leave()
    assert.ok(await next)
  })

  it('lets whoever goes away out of the queue at once', async () => {
    const limiter = new Limiter(1, 3)
    const leave = await entered(limiter, 'a')
    const order: string[] = []
    const leaving = new AbortController()
    waits(limiter, 'b', order, leaving.signal)
    waits(limiter, 'c', order)
    leaving.abort()
    await told()
    assert.deepEqual(order, ['no b'])
    assert.equal(await limiter.enter('d', LONG, leaving.signal), undefined)
    leave()
    await told()
    assert.deepEqual(order, ['no b', 'c'])
  })

  it('shares its queue: one whose share is full is sent away, and a newcomer may wait', async () => {
    const limiter = new Limiter(1, 4)
    const leave = await entered(limiter, 'z')
    const order: string[] = []
    for (let each = 0; each < 2; each++) waits(limiter, 'a', order)
    assert.equal(await limiter.enter('a', LONG), undefined)
    waits(limiter, 'b', order)
    await told()
    assert.deepEqual(order, [])
    leave()
    await told()
    assert.deepEqual(order, ['a'])
  })

  it('loses no place, and lets nobody wait who may have one, whatever comes', async () => {
    const places = 8
    const limiter = new Limiter(places, 50)
    const held: { name: string; leave: Leave }[] = []
    const waiting = new Map<AbortController, string>()
    let seed = 7
    const random = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    for (let step = 0; step < 3000; step++) {
      const dice = random(10)
      if (dice < 5) {
        const name = `t${random(6)}`
        const leaving = new AbortController()
        waiting.set(leaving, name)
        void limiter.enter(name, LONG, leaving.signal).then((leave) => {
          waiting.delete(leaving)
          if (leave) held.push({ name, leave })
        })
      } else if (dice < 9) {
        held.splice(random(held.length), 1)[0]?.leave()
      } else {
        const [leaving] = waiting.keys()
        leaving?.abort()
      }
      await told()
      const free = places - held.length
      assert.ok(free >= 0, `step ${step}`)
      for (const name of waiting.values()) {
        const own = held.filter((each) => each.name === name).length
        assert.ok(own >= free, `step ${step}: ${name} holds ${own}, ${free} are free`)
      }
    }
    for (const leaving of waiting.keys()) leaving.abort()
    await told()
    for (const { leave } of held.splice(0)) leave()
    for (let each = 0; each < places; each++) await entered(limiter, `n${each}`)
    assert.equal(await limiter.enter('one more', 1), undefined)
  })
})
