import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatLimits, formatWindow, parseLimits, type Limit } from '../../src/mail/limits'
import { InputError } from '../../src/base/errors'

const HOUR = 3_600_000
const DAY = 86_400_000

function refused(text: string): string {
  try {
    parseLimits(text)
  } catch (error) {
    assert.ok(error instanceof InputError, String(error))
    return error.message
  }
  assert.fail(`"${text}" was to be refused`)
}

describe('parseLimits', () => {
  it('reads several limits, in their order', () => {
    assert.deepEqual(parseLimits('300/1h, 1500/1d'), [
      { count: 300, window: HOUR, defer: false },
      { count: 1500, window: DAY, defer: false },
    ])
  })

  it('reads every unit', () => {
    const windows = parseLimits('1/7s,1/2m,1/3h,1/4d').map(({ window }) => window)
    assert.deepEqual(windows, [7000, 120_000, 3 * HOUR, 4 * DAY])
  })

  it('reads defer, none at all, and spaces where people put them', () => {
    assert.deepEqual(parseLimits('  100 / 10m   defer ,0/1d '), [
      { count: 100, window: 600_000, defer: true },
      { count: 0, window: DAY, defer: false },
    ])
  })

  it('reads unlimited, which stands alone', () => {
    assert.deepEqual(parseLimits(' unlimited '), [])
    assert.match(refused('unlimited, 300/1h'), /"unlimited" is not a limit/)
  })

  it('takes the largest numbers, and nothing above them', () => {
    assert.deepEqual(parseLimits('1000000000/366d'), [
      { count: 1_000_000_000, window: 366 * DAY, defer: false },
    ])
    assert.match(refused('1000000001/1h'), /"1000000001\/1h": at most 1000000000 recipients/)
    assert.match(refused('1/367d'), /"1\/367d": a window is between 1s and 366d/)
    assert.match(refused('1/999999d'), /between 1s and 366d/)
    assert.match(refused('1/0h'), /"1\/0h": a window is between 1s and 366d/)
  })

  it('refuses two limits of one length, however they are written', () => {
    assert.match(refused('1/60m, 2/1h'), /two limits for 1h in "1\/60m, 2\/1h": keep one of them/)
    assert.match(refused('1/1h defer, 2/1h'), /two limits for 1h/)
  })

  for (const text of [
    '',
    ' ',
    ',',
    '300/1h,',
    '300',
    '300/h',
    '/1h',
    '-1/1h',
    '1.5/1h',
    '1e3/1h',
    '300/1.5h',
    '300/1w',
    '300/1H',
    '300/1h deferred',
    '300/1hdefer',
    '300/1h;1500/1d',
    '300/1h 1500/1d',
    '12345678901/1h',
    '1/1234567s',
    '٣/1h',
  ]) {
    it(`refuses ${JSON.stringify(text)}, and shows how to write it`, () => {
      assert.match(
        refused(text),
        /is not a limit: write COUNT\/WINDOW .* for example 300\/1h, 1500\/1d/,
      )
    })
  }

  it('names the part that is wrong', () => {
    assert.match(refused('300/1h, 1500/1x'), /^"1500\/1x" is not a limit/)
  })
})

describe('formatLimits', () => {
  it('writes the largest whole unit', () => {
    assert.equal(
      formatLimits(parseLimits('5/60m, 6/36h,7/24h defer, 8/90s')),
      '5/1h, 6/36h, 7/1d defer, 8/90s',
    )
    assert.equal(formatLimits([]), 'unlimited')
    assert.equal(formatWindow(500), '500ms')
  })

  it('writes what parseLimits reads', () => {
    const limit = fc
      .tuple(fc.nat(1_000_000_000), fc.integer({ min: 1, max: 999_999 }), fc.boolean())
      .map(([count, seconds, defer]): Limit => ({ count, window: seconds * 1000, defer }))
    const limits = fc.uniqueArray(limit, { selector: ({ window }) => window, maxLength: 5 })
    fc.assert(
      fc.property(limits, (list) => assert.deepEqual(parseLimits(formatLimits(list)), list)),
    )
  })
})
