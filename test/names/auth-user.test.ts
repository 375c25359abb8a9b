import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { foldAuthUser, normalizeAuthUser } from '../../src/names/auth-user'

describe('normalizeAuthUser', () => {
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ['alice', 'alice', undefined],
    ['ALICE', 'alice', undefined],
    ['Alice@Contoso.COM', 'alice@contoso.com', 'contoso.com'],
    ['alice@contoso.com.', 'alice@contoso.com', 'contoso.com'],
    ['alice@münchen.example', 'alice@xn--mnchen-3ya.example', 'xn--mnchen-3ya.example'],
    ['a@b@contoso.com', 'a@b@contoso.com', 'contoso.com'],
    ['CONTOSO\\alice', 'contoso\\alice', undefined],
    ['alice@not a domain', 'alice@not a domain', undefined],
    ['alice@contoso。com', 'alice@contoso。com', undefined],
    ['alice@[192.0.2.1]', 'alice@[192.0.2.1]', undefined],
    ['alice@', 'alice@', undefined],
    ['@contoso.com', '@contoso.com', undefined],
    ['@', '@', undefined],
    ['', '', undefined],
  ]
  for (const [given, user, domain] of cases) {
    it(JSON.stringify(given), () => assert.deepEqual(normalizeAuthUser(given), { user, domain }))
  }

  it('accepts any text, and does not change its own results', () => {
    const text = fc.string({ unit: 'binary' })
    const user = fc.oneof(
      text,
      fc.tuple(text, fc.domain()).map((parts) => parts.join('@')),
    )
    fc.assert(
      fc.property(user, (given) => {
        const once = normalizeAuthUser(given)
        assert.deepEqual(normalizeAuthUser(once.user), once)
      }),
    )
  })
})

describe('foldAuthUser', () => {
  const alike: readonly (readonly [string, readonly string[]])[] = [
    [
      'ann@contoso.example',
      [
        'ann@contoso.example ',
        ' ann@contoso.example',
        'ann @contoso.example',
        'ann@contoso.example\t',
        'ann@contoso.example\u00a0',
        '\u3000ANN@Contoso.EXAMPLE',
        '\uff41nn@contoso.example',
        'ann\uff20contoso.example',
        'a\u200bnn@contoso.example',
        'ann@contoso.example\ufeff',
        'ann@contoso.example. ',
      ],
    ],
    ['ann', ['ann ', 'ANN', 'ann\u2003', 'a\u00adnn', '\uff21\uff2e\uff2e']],
    ['jos\u00e9', ['jose\u0301', 'JOSE\u0301 ']],
    ['strasse', ['stra\u00dfe', 'STRA\u1e9eE']],
    ['o\u03b4\u03bf\u03c2', ['o\u03b4\u03bf\u03c3']],
    ['x@xn--strae-oqa.example', ['X@stra\u00dfe.example ']],
  ]
  for (const [folded, spellings] of alike) {
    for (const spelling of [folded, ...spellings]) {
      it(JSON.stringify(spelling), () => assert.equal(foldAuthUser(spelling), folded))
    }
  }

  it('distinguishes what no backend treats as equal', () => {
    const users = [
      'ann',
      'a nn',
      'jose',
      'jos\u00e9',
      'ann.',
      'ann@contoso',
      '\u0430nn',
      'ann@',
      '',
    ]
    assert.equal(new Set(users.map(foldAuthUser)).size, users.length)
  })

  it('accepts any text, and does not change its own results', () => {
    const text = fc.string({ unit: 'binary' })
    const user = fc.oneof(
      text,
      fc.tuple(text, fc.domain()).map((parts) => parts.join('@')),
    )
    fc.assert(
      fc.property(user, (given) => {
        const once = foldAuthUser(given)
        assert.equal(foldAuthUser(once), once)
        assert.equal(foldAuthUser(normalizeAuthUser(given).user), foldAuthUser(given.trim()))
      }),
      { numRuns: 1000 },
    )
  })
})
