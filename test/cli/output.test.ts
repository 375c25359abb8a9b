import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brief, duration, Output } from '../../src/cli/kit/output'
import { isoTime, shortTime } from '../../src/base/time'
import type { Io } from '../../src/cli/kit/io'

describe('output for a terminal', () => {
  it('aligns columns, wide characters too, without lines or trailing blanks', () => {
    let written = ''
    const io = { stdout: { write: (text: string) => (written += text) }, env: {}, terminal: false }
    const out = new Output(io as unknown as Io, false)
    out.table(
      ['NAME', 'USED'],
      [
        ['株式会社', { text: '7', right: true }],
        ['a', { text: '1000', right: true }],
        ['', ''],
      ],
      'nothing',
    )
    out.table(['NAME'], [], 'nothing')
    assert.equal(written, 'NAME      USED\n株式会社     7\na         1000\n\nnothing\n')
  })

  it('cuts a long text from outside in the middle, between whole letters', () => {
    assert.equal(brief('x'.repeat(44)), 'x'.repeat(44))
    assert.equal(brief(`<${'x'.repeat(300)}@lure.example>`).length, 43)
    assert.match(brief(`<${'x'.repeat(300)}@lure.example>`), /^<x{20}…x+@lure\.example>$/)
    assert.equal(brief('😀'.repeat(100)), `${'😀'.repeat(21)}…${'😀'.repeat(21)}`)
    assert.equal(brief('a\u001b[2J\tb'), 'a[2J b')
  })

  it('prints times in UTC and durations in one or two units', () => {
    assert.equal(isoTime(1_764_000_000_123), '2025-11-24T16:00:00.123Z')
    assert.equal(shortTime(1_764_000_000_123), '2025-11-24T16:00:00Z')
    for (const [ms, text] of [
      [0, '0s'],
      [1, '1s'],
      [59_001, '1m'],
      [60_001, '2m'],
      [3_600_000, '1h'],
      [3_660_000, '1h 1m'],
      [86_400_000, '1d'],
      [100_000_000, '1d 3h'],
    ] as const) {
      assert.equal(duration(ms), text)
    }
  })
})
