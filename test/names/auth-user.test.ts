import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { normalizeAuthUser } from '../../src/names/auth-user'

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

  it('takes any text, and leaves alone what it has given', () => {
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
