import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { median, quantile, spreadOf, summarize } from '../../bench/stats'

describe('quantile', () => {
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at)

  it('is the nearest rank, whatever the order', () => {
    assert.equal(quantile(hundred, 0.5), 50)
    assert.equal(quantile(hundred, 0.99), 99)
    assert.equal(quantile(hundred, 1), 100)
    assert.equal(quantile(hundred, 0), 1)
    assert.equal(median([3, 1, 2]), 2)
  })

  it('leaves the values as they are', () => {
    const values = [3, 1, 2]
    quantile(values, 0.5)
    assert.deepEqual(values, [3, 1, 2])
  })

  it('has no answer where there are no values', () => {
    assert.throws(() => median([]), RangeError)
  })
})

describe('summarize', () => {
  const summary = summarize([
    [1.0, 1.02, 1.04],
    [1.1, 1.12, 9],
  ])

  it('takes the median of all pairs, so that one bad pair does not count', () => {
    assert.equal(summary.ratio, 1.04)
    assert.deepEqual(summary.quartiles, [1.02, 1.12])
    assert.deepEqual(summary.starts, [1.02, 1.12])
  })

  it('says how far pairs and starts differ', () => {
    assert.equal(spreadOf(summary, 6), 'half of 6 pairs 1.02 to 1.12; 2 starts 1.02 to 1.12')
    assert.equal(spreadOf(summarize([[1, 1, 2]]), 3), 'half of 3 pairs 1.00 to 2.00')
  })
})
