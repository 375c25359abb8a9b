import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { describe, it } from 'node:test'
import { logFailures } from '../../bench/soak/log-failures'
import { kindOf, seatsOf, type MixTenant } from '../../bench/soak/mix'
import { readOptions } from '../../bench/soak/options'
import { isFlat, trendOf, type Point } from '../../bench/soak/trend'

describe('a trend', () => {
  /** y = 100 + slope x, and a bit to and fro. */
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

  it('is flat where it is lost in its error, or is less than what counts', () => {
    assert.ok(isFlat(trendOf(points(0)), 0))
    assert.ok(!isFlat(trendOf(points(2)), 1))
    assert.ok(isFlat(trendOf(points(-2)), 1))
    assert.ok(isFlat(trendOf(points(2)), 3))
  })

  it('needs more than two points', () => {
    assert.throws(() => trendOf(points(1).slice(0, 2)), /a trend of 2 points/)
  })
})

describe('the mix of a soak', () => {
  const tenants = Array.from({ length: 10 }, (_, number): MixTenant => {
    return { id: `t${number}`, domain: `t${number}.com`, kind: kindOf(number), ip: '127.0.0.1' }
  })
  const course = (seed: number) =>
    seatsOf(tenants, 20, seed, true).flatMap(({ next }) =>
      Array.from({ length: 30 }, () => {
        const { kind, tenant, script } = next()
        return `${tenant} ${kind} ${script.length} ${String(script[0]?.command)}`
      }),
    )

  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(course(7), course(7))
    assert.notDeepEqual(course(7), course(8))
  })

  it('has mail of every kind', () => {
    for (const kind of ['registered', 'unregistered', 'null', 'refused']) {
      assert.ok(
        course(7).some((line) => line.split(' ')[1] === kind),
        kind,
      )
    }
  })
})

describe('the log of a soak', () => {
  it('fails by what Haraka says at error or above, and by a worker that ends', () => {
    const bad = [
      '2026-11-25T00:52:12.012Z [ERROR] [-] [core] something',
      '2026-11-25T00:52:12.012Z [CRIT] [ABC] [unregistered-domain] internal error',
      '2026-11-25T00:52:12.012Z [NOTICE] [-] [server] worker 2 killed by signal SIGKILL',
    ]
    const good = [
      '2026-11-25T00:52:12.012Z [WARN] [-] [unregistered-domain] tripped of [ERROR]',
      '',
    ]
    assert.deepEqual(logFailures([...good, ...bad].join('\n')), bad)
  })
})

describe('the options of a soak', () => {
  const SOAK = path.resolve(__dirname, '../../bench/soak/soak.ts')

  it('are two minutes where there are none', () => {
    assert.deepEqual(readOptions([]), { minutes: 2, seed: 1, publish: false })
    assert.deepEqual(readOptions(['10', '--seed', '7', '--publish']), {
      minutes: 10,
      seed: 7,
      publish: true,
    })
  })

  it('name the mistake', () => {
    const args = ['--import', 'tsx', SOAK, 'ten']
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.equal(status, 1)
    assert.match(stderr, /'ten' is invalid for argument 'minutes'\. a whole number from 1 on/)
  })
})
