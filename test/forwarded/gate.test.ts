import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Gate } from '../../src/forwarded/gate'

describe('Gate', () => {
  it('lets in as many as it has places, and then one for each that leaves, in their order', async () => {
    const gate = new Gate(1)
    const order: string[] = []
    const leave = await gate.enter(60_000)
    const second = gate.enter(60_000).then((go) => {
      order.push('second')
      go?.()
    })
    const third = gate.enter(60_000).then(() => order.push('third'))
    assert.deepEqual(order, [])
    leave?.()
    await Promise.all([second, third])
    assert.deepEqual(order, ['second', 'third'])
  })

  it('tells who waited too long, whose place goes to the next', async () => {
    const gate = new Gate(1)
    const leave = await gate.enter(60_000)
    assert.equal(await gate.enter(1), undefined)
    const next = gate.enter(60_000)
    leave?.()
    assert.equal(typeof (await next), 'function')
  })
})
