import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { forecast, recentInterval, type Forecast, type Ring } from '../../src/allowance/forecast'
import { Allowance } from '../support/allowance'
import { NOON } from '../support/clock'
import { useRedis } from '../support/registry'
import { runs, SEED } from '../support/seed'

const SECOND = 1000
const MINUTE = 60_000
const HOUR = 3_600_000
const BUCKETS = 61

/** A ring into which recipients came at these times, none of them later than `at`. */
function ringOf(at: number, window: number, limit: number, times: readonly number[]): Ring {
  const width = Math.ceil(window / 60)
  const newest = Math.floor(at / width)
  const counts = new Map<number, number>()
  for (const time of times) {
    const bucket = Math.floor(time / width)
    if (bucket > newest - BUCKETS) counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
  }
  return { window, limit, newest, buckets: [...counts].sort(([a], [b]) => a - b) }
}

/** Times, one each `every` ms, the last of them now. */
function steadily(at: number, every: number, count: number): number[] {
  return Array.from({ length: count }, (_, back) => at - (count - 1 - back) * every)
}

/** Counts one recipient after the other, each in its bucket, until one does not fit. */
function simulate(at: number, ring: Ring, interval: number): Forecast | undefined {
  const { window, limit, newest } = ring
  const width = Math.ceil(window / 60)
  const counts = new Map(ring.buckets)
  for (let come = 1; ; come++) {
    const time = at + come * interval
    const bucket = Math.max(newest, Math.floor(time / width))
    if (bucket > newest + 2 * BUCKETS) return undefined
    let used = 0
    for (const [each, count] of counts) if (each > bucket - BUCKETS) used += count
    if (used + 1 > limit) return { window, limit, at: Math.round(time) }
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
  }
}

function usedIn({ buckets }: Ring): number {
  return buckets.reduce((sum, [, count]) => sum + count, 0)
}

describe('forecast', () => {
  it('says the same as a simulation of the ring does', (t) => {
    t.diagnostic(`seed ${SEED}`)
    const window = fc.constantFrom(10 * SECOND, 7 * MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, 24 * HOUR)
    const burst = fc.record({
      ago: fc.integer({ min: 0, max: 90 * MINUTE }),
      every: fc.integer({ min: 50, max: 5 * MINUTE }),
      count: fc.integer({ min: 1, max: 60 }),
    })
    let reached = 0
    fc.assert(
      fc.property(
        fc.integer({ min: NOON, max: NOON + 24 * HOUR }),
        fc.uniqueArray(fc.record({ window, limit: fc.integer({ min: 1, max: 400 }) }), {
          minLength: 1,
          maxLength: 3,
          selector: (each) => each.window,
        }),
        fc.array(burst, { minLength: 1, maxLength: 4 }),
        (at, limits, bursts) => {
          const times = bursts.flatMap(({ ago, every, count }) => steadily(at - ago, every, count))
          const rings = limits.map((each) => ringOf(at, each.window, each.limit, times))
          const interval = recentInterval(at, rings)
          const found = forecast(at, rings)
          const past = rings.find((ring) => usedIn(ring) >= ring.limit)
          if (past) {
            return assert.deepEqual(found, { window: past.window, limit: past.limit, at })
          }
          if (interval === undefined) return assert.equal(found, undefined)
          const expected = rings
            .filter((ring) => usedIn(ring) * 10 >= ring.limit)
            .map((ring) => simulate(at, ring, interval))
            .filter((each) => each !== undefined)
            .sort((a, b) => a.at - b.at)[0]
          if (expected) reached++
          assert.deepEqual(found, expected)
        },
      ),
      { seed: SEED, numRuns: runs(2000) },
    )
    assert.ok(reached > 100, `only ${reached} reached a limit`)
  })

  it('says when, and which window is full first', () => {
    // 5 a minute for 10 minutes.
    const times = steadily(NOON, 12 * SECOND, 50)
    const rings = [ringOf(NOON, HOUR, 240, times), ringOf(NOON, 24 * HOUR, 500, times)]
    const found = forecast(NOON, rings)
    assert.equal(found?.window, HOUR)
    // 190 more fit, at about 5 a minute.
    assert.ok(
      Math.abs(found.at - (NOON + 38 * MINUTE)) < MINUTE,
      String((found.at - NOON) / MINUTE),
    )
    const [short, day] = rings
    assert.equal(forecast(NOON, [{ ...short!, limit: 1000 }, day!])?.window, 24 * HOUR)
  })

  it('knows none where what leaves the window makes room for what comes', () => {
    // Never more than 61 buckets of one each.
    const times = steadily(NOON - 30 * SECOND, MINUTE, 600)
    const [below, above] = [61, 60].map((limit) =>
      forecast(NOON, [ringOf(NOON, HOUR, limit, times)]),
    )
    assert.equal(below, undefined)
    assert.ok(above)
  })

  it('counts the pace of the last minutes only', () => {
    const times = steadily(NOON - 20 * MINUTE, SECOND, 200)
    assert.equal(forecast(NOON, [ringOf(NOON, HOUR, 201, times)]), undefined)
    assert.equal(forecast(NOON, [ringOf(NOON, 24 * HOUR, 201, times)])?.window, 24 * HOUR)
  })

  it('takes a few at once for no pace', () => {
    assert.equal(forecast(NOON, [ringOf(NOON, HOUR, 3, [NOON, NOON])]), undefined)
    assert.equal(forecast(NOON, [ringOf(NOON, HOUR, 66, steadily(NOON, 1, 5))]), undefined)
  })

  it('takes three for a pace, that of five minutes at the fastest', () => {
    const [two, three] = [2, 3].map((count) => [ringOf(NOON, HOUR, 4, steadily(NOON, 1, count))])
    assert.equal(recentInterval(NOON, two!), undefined)
    assert.equal(forecast(NOON, two!), undefined)
    assert.equal(recentInterval(NOON, three!), (5 * MINUTE) / 3)
    // The fourth still fits.
    assert.equal(forecast(NOON, three!)?.at, NOON + 2 * ((5 * MINUTE) / 3))
  })

  it('is of the window that is full first, not of the fullest', () => {
    const long = steadily(NOON - HOUR, MINUTE, 900)
    const rings = [
      ringOf(NOON, 24 * HOUR, 1000, [...long, ...steadily(NOON, MINUTE, 10)]),
      ringOf(NOON, HOUR, 20, steadily(NOON, MINUTE, 10)),
    ]
    assert.equal(forecast(NOON, rings)?.window, HOUR)
    assert.equal(forecast(NOON, rings.slice(0, 1))?.window, 24 * HOUR)
  })

  it('knows none of a limit of 0, nor of no limits', () => {
    assert.equal(forecast(NOON, [ringOf(NOON, HOUR, 0, steadily(NOON, SECOND, 100))]), undefined)
    assert.equal(forecast(NOON, []), undefined)
  })

  it('of a full window is the next recipient, also where none has come for long', () => {
    for (const times of [steadily(NOON, 10 * SECOND, 60), steadily(NOON - HOUR / 2, SECOND, 60)]) {
      for (const limit of [60, 10]) {
        const found = forecast(NOON, [ringOf(NOON, 24 * HOUR, limit, times)])
        assert.deepEqual(found, { window: 24 * HOUR, limit, at: NOON })
      }
    }
    assert.ok(forecast(NOON, [ringOf(NOON, HOUR, 61, steadily(NOON, 10 * SECOND, 60))])!.at > NOON)
  })

  it('knows none below a tenth of the limit', () => {
    const times = steadily(NOON, 10 * SECOND, 50)
    assert.equal(forecast(NOON, [ringOf(NOON, 24 * HOUR, 501, times)]), undefined)
    assert.ok(forecast(NOON, [ringOf(NOON, 24 * HOUR, 500, times)]))
  })
})

useRedis()

describe('forecast of a tenant', () => {
  it('is what happens to the meter', async () => {
    const allowance = await Allowance.create({ limits: '12/1m defer, 40/1h, 900/1d' })
    await allowance.advance(30 * SECOND)
    for (let sent = 0; sent < 20; sent++) {
      await allowance.advance(20 * SECOND)
      assert.deepEqual(await allowance.answers(1), ['CHARGED'])
    }
    const found = (await allowance.usage()).forecasts.unregistered
    assert.equal(found?.window, HOUR)
    let tripped: number | undefined
    while (tripped === undefined) {
      await allowance.advance(20 * SECOND)
      if ((await allowance.answers(1))[0] === 'TRIPPED') tripped = allowance.clock.now
    }
    const late = Math.abs(tripped - found.at)
    // The pace is known to a bucket of the ring: a minute of the last seven.
    assert.ok(late < 90 * SECOND, String(late))
  })

  it('is of no window that only defers, and of the limits of a probation', async () => {
    const allowance = await Allowance.create({ limits: '30/1h defer' })
    const send = async (): Promise<void> => {
      for (let sent = 0; sent < 10; sent++) {
        await allowance.advance(20 * SECOND)
        await allowance.answers(1)
      }
    }
    await send()
    assert.equal((await allowance.usage()).forecasts.unregistered, undefined)
    const probation = { limits: '25/1h', duration: 24 * HOUR }
    const act = { by: 'ann', reason: 'a test' }
    await allowance.restrictions.place('contoso', { ...act, scope: 'unregistered' })
    await allowance.restrictions.lift('contoso', { ...act, keepUsage: false, probation })
    await send()
    const found = (await allowance.usage()).forecasts.unregistered
    assert.deepEqual([found?.window, found?.limit], [HOUR, 25])
    await allowance.advance(24 * HOUR)
    assert.equal((await allowance.usage()).forecasts.unregistered, undefined)
  })
})
