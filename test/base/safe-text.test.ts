import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { clean, safeJson } from '../../src/base/safe-text'

const ACTS_ON_TERMINAL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u

describe('text for terminals and logs', () => {
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

  it('drops half a character, which Redis would get as another one', () => {
    assert.equal(clean('a\ud800b\udc00'), 'ab')
    assert.equal(clean('\ud83d\ude00'), '\ud83d\ude00')
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
})
