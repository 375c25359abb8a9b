import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ratioRow, timesRow } from '../../bench/row'
import { isFlat, median, quantile, Times, trendOf, type Point } from '../../bench/stats'

describe('quantile', () => {
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at)

  it('is the nearest rank in any order, and leaves the values as they are', () => {
    assert.equal(quantile(hundred, 0.5), 50)
    assert.equal(quantile(hundred, 0.99), 99)
    assert.equal(quantile(hundred, 1), 100)
    assert.equal(quantile(hundred, 0), 1)
    assert.equal(hundred[0], 100)
    assert.equal(median([3, 1, 2]), 2)
  })

  it('has no answer without values', () => {
    assert.throws(() => median([]), RangeError)
  })
})

describe('a row of times', () => {
  it('shows the 99th percentile, and whether it is within its target', () => {
    const times = new Times()
    for (let ms = 1; ms <= 100; ms++) times.add(ms)
    const { figure, detail, target } = timesRow('answer', times, 98)
    assert.equal(figure, '99.01 ms')
    assert.match(detail!, /^p50 50\.\d+ ms, longest of 100 100\.\d ms$/)
    assert.deepEqual(target, { text: '≤ 98 ms', met: false })
  })
})

describe('a row of ratios', () => {
  it('shows the median of all pairs, so that one bad pair does not count', () => {
    const starts = [
      [1.0, 1.02, 1.04],
      [1.1, 1.12, 9],
    ]
    const { figure, detail, target } = ratioRow('registered', starts, 1.04)
    assert.equal(figure, '1.040 ×')
    assert.equal(detail, 'half of 6 pairs 1.02 to 1.12; 2 starts 1.02 to 1.12')
    assert.deepEqual(target, { text: '≤ 1.04 ×', met: true })
    assert.equal(ratioRow('one start', [[1, 1, 2]]).detail, 'half of 3 pairs 1.00 to 2.00')
  })
})

describe('a trend', () => {
  /** y = 100 + slope x, a little above and below in turn. */
  const points = (slope: number): Point[] =>
    Array.from({ length: 20 }, (_, x) => [x, 100 + slope * x + (x % 2 === 0 ? 1 : -1)])

  it('is the line by least squares, with its standard error', () => {
    // Anscombe's first data set: slope 0.5001, standard error 0.1179.
    const xs = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    const ys = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    const { slope, error } = trendOf(xs.map((x, at): Point => [x, ys[at]!]))
    assert.equal(slope.toFixed(4), '0.5001')
    assert.equal(error.toFixed(4), '0.1179')
  })

  it('is flat within its error, or below the bound', () => {
    assert.ok(isFlat(trendOf(points(0)), 0))
    assert.ok(!isFlat(trendOf(points(2)), 1))
    assert.ok(isFlat(trendOf(points(-2)), 1))
    assert.ok(isFlat(trendOf(points(2)), 3))
  })

  it('needs more than two points', () => {
    assert.throws(() => trendOf(points(1).slice(0, 2)), /a trend of 2 points/)
  })
})
