import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { NOTHING, paceOf, watch, type Telling, type Watched } from '../../src/alerts/outage'
import { runs, SEED } from '../support/seed'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const PACE = paceOf(MINUTE)

type Span = readonly [lasts: boolean, ms: number]

function times(count: number, spans: readonly Span[]): Span[] {
  return Array.from({ length: count }, () => spans).flat()
}

/** What is told of these spans, looked at every five seconds: minute and telling. */
function told(...spans: readonly Span[]): string[] {
  const all: string[] = []
  let known: Watched = NOTHING
  let now = 0
  for (const [lasts, ms] of spans) {
    for (const end = now + ms; now < end; now += 5 * SECOND) {
      const { after, tell } = watch(known, lasts, now, PACE)
      known = after
      if (tell) all.push(`${Math.floor(now / MINUTE)} ${tell}`)
    }
  }
  return all
}

describe('an outage', () => {
  it('is told after its patience, again every hour, and once when it is over', () => {
    assert.deepEqual(told([true, 2.5 * HOUR], [false, HOUR]), [
      ...['1 began', '61 lasts', '121 lasts', '151 over'],
    ])
  })

  it('is not told where it ends before its patience does, however often', () => {
    const short = [
      [true, 55 * SECOND],
      [false, 5 * SECOND],
    ] as const
    assert.deepEqual(told(...times(100, short)), [])
  })

  it('goes on where it is back before it has been over for as long', () => {
    const flapping = [
      [true, 50 * SECOND],
      [false, 10 * SECOND],
    ] as const
    assert.deepEqual(told([true, 5 * MINUTE], ...flapping, ...flapping, [false, 5 * MINUTE]), [
      ...['1 began', '7 over'],
    ])
  })

  it('is told of ten minutes after the last that began at the earliest', () => {
    const outage = [
      [true, 2 * MINUTE],
      [false, 2 * MINUTE],
    ] as const
    const all = told(...times(30, outage))
    const began = all.filter((each) => each.endsWith('began')).map((each) => Number.parseInt(each))
    assert.ok(began.length > 5)
    began.forEach((minute, at) => assert.ok(at === 0 || minute - began[at - 1]! >= 10, String(all)))
  })

  it('that was told in another way is told again an hour later', () => {
    const first = watch(NOTHING, true, 0, PACE, true)
    assert.equal(first.tell, undefined)
    assert.equal(watch(first.after, true, HOUR, PACE, true).tell, 'lasts')
    const over = watch(first.after, false, HOUR, PACE).after
    assert.equal(watch(over, false, HOUR + MINUTE, PACE).tell, 'over')
  })

  it('is never told twice in a row to have begun or to be over, and at most 13 times an hour', () => {
    const looks = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 20 * MINUTE })), {
      maxLength: 200,
    })
    fc.assert(
      fc.property(looks, (all) => {
        let known: Watched = NOTHING
        let now = 0
        const tellings: { tell: Telling; now: number }[] = []
        for (const [lasts, ms] of all) {
          now += ms
          const { after, tell } = watch(known, lasts, now, PACE)
          known = after
          if (tell) tellings.push({ tell, now })
        }
        tellings.forEach(({ tell }, at) => {
          const before = tellings[at - 1]?.tell ?? 'over'
          assert.equal(tell === 'began', before === 'over')
        })
        for (const { now: end } of tellings) {
          const lately = tellings.filter((each) => each.now <= end && end - each.now < HOUR)
          assert.ok(lately.length <= 13, String(lately.length))
        }
      }),
      { numRuns: runs(300), seed: SEED },
    )
  })
})
