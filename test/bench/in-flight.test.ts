import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { keepInFlight } from '../../bench/in-flight'

describe('keepInFlight', () => {
  it('makes every call once, so many at a time, one after the other in each lane', async () => {
    const made: number[] = []
    const busy = new Set<number>()
    let most = 0
    const { perSecond, times } = await keepInFlight(100, 7, async (number, lane) => {
      assert.ok(!busy.has(lane))
      busy.add(lane)
      most = Math.max(most, busy.size)
      made.push(number)
      await new Promise(setImmediate)
      busy.delete(lane)
    })
    assert.deepEqual(
      made,
      Array.from({ length: 100 }, (_, number) => number),
    )
    assert.equal(most, 7)
    assert.equal(times.length, 100)
    assert.ok(perSecond > 0)
  })

  it('fails with the error of a call', async () => {
    const failing = keepInFlight(10, 2, (number) =>
      number === 5 ? Promise.reject(new Error('the fifth')) : Promise.resolve(),
    )
    await assert.rejects(failing, /the fifth/)
  })
})
