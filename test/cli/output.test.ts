import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { clean, duration, isoTime, Output, safeJson, shortTime } from '../../src/cli/output'
import type { Io } from '../../src/cli/io'

const ACTS_ON_TERMINAL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u

describe('output for a terminal', () => {
  it('leaves ordinary text as it is, in any script', () => {
    for (const text of ['Contoso Ltd', 'Bücher & Söhne', '株式会社', 'شركة', '👩‍💻']) {
      assert.equal(clean(text), text)
    }
  })

  it('makes one line of several, and drops what a terminal obeys', () => {
    assert.equal(clean('a\r\nb\tc'), 'a b c')
    assert.equal(
      clean('\u001b[31mred\u001b]0;title\u0007\u009b2J\u0000\u007f'),
      '[31mred]0;title2J',
    )
    assert.equal(clean('\u202egpj.exe\u2066\u200f'), 'gpj.exe')
  })

  it('never lets anything through that acts on a terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.doesNotMatch(clean(text), ACTS_ON_TERMINAL)
      }),
    )
  })

  it('is JSON that means the same, and acts on no terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = safeJson({ text }, 0)
        assert.doesNotMatch(json, ACTS_ON_TERMINAL)
        assert.equal((JSON.parse(json) as { text: string }).text, text)
      }),
    )
  })

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

  it('says times in UTC and durations in one or two units', () => {
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
