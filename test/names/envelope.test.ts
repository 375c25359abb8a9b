import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InputError } from '../../src/base/errors'
import {
  type EnvelopeDomain,
  type HarakaAddress,
  addressText,
  envelopeDomain,
  parseEnvelope,
} from '../../src/names/envelope'
import { CurrentAddress, LIBRARIES, OldAddress } from '../support/envelope-libraries'

const PARSERS: Record<string, (text: string) => HarakaAddress> = { ...LIBRARIES, parseEnvelope }

const domain = (name: string): EnvelopeDomain => ({ kind: 'domain', domain: name })
const none = (raw: string): EnvelopeDomain => ({ kind: 'none', raw })

const CASES: readonly (readonly [string, EnvelopeDomain])[] = [
  ['<>', { kind: 'null' }],
  ['', { kind: 'null' }],
  ['<postmaster>', none('')],
  ['<Postmaster>', none('')],
  ['<u@contoso.com>', domain('contoso.com')],
  ['<u@Mail.CONTOSO.com>', domain('mail.contoso.com')],
  ['<"a@b"@contoso.com>', domain('contoso.com')],
  ['<""@contoso.com>', domain('contoso.com')],
  ['<@relay.example:u@contoso.com>', domain('contoso.com')],
  ['<u@localhost>', domain('localhost')],
  ['<u@münchen.example>', domain('xn--mnchen-3ya.example')],
  ['<u@xn--mnchen-3ya.example>', domain('xn--mnchen-3ya.example')],
  ['<ü@contoso.com>', domain('contoso.com')],
  ['<u@[192.0.2.1]>', none('[192.0.2.1]')],
  ['<u@[IPv6:2001:db8::1]>', none('[IPv6:2001:db8::1]')],
  ['<u@192.0.2.1>', none('192.0.2.1')],
  ['<u@contoso.0x1>', none('contoso.0x1')],
  ['<u@contoso。com>', none('contoso。com')],
  ['<u@contoso．com>', none('contoso．com')],
  ['<u@contoso｡com>', none('contoso｡com')],
  ['<u@ｃontoso.com>', none('ｃontoso.com')],
  ['<u@con\u200btoso.com>', none('con\u200btoso.com')],
  ['<u@con\u00adtoso.com>', none('con\u00adtoso.com')],
  ['<u@\u212aontoso.com>', none('\u212aontoso.com')],
  ['<u@contoſo.com>', none('contoſo.com')],
]

for (const [library, parse] of Object.entries(PARSERS)) {
  describe(`envelopeDomain, ${library}`, () => {
    for (const [text, expected] of CASES) {
      it(JSON.stringify(text), () => assert.deepEqual(envelopeDomain(parse(text)), expected))
    }

    it('a name that is too long has no domain', () => {
      const long = `${'a'.repeat(62)}.`.repeat(3) + 'a'.repeat(61)
      assert.deepEqual(envelopeDomain(parse(`<u@${long}>`)), domain(long))
      const unicode = `${'ü'.repeat(29)}.`.repeat(4) + 'com'
      assert.equal(envelopeDomain(parse(`<u@${unicode}>`)).kind, 'domain')
    })
  })
}

describe('envelopeDomain', () => {
  it('a name over 253 octets has none', () => {
    const long = `${'a.'.repeat(126)}com`
    const address = new CurrentAddress(`<u@${long}>`, { postel: true })
    assert.deepEqual(envelopeDomain(address), none(long))
  })

  it('accepts only a domain that is sent the same with and without SMTPUTF8', () => {
    for (const text of ['<u@MÜNCHEN.example>', '<u@mu\u0308nchen.example>']) {
      // One server gets the client's spelling, another one this (format(true)).
      assert.notEqual(new OldAddress(text).host, 'xn--mnchen-3ya.example')
      assert.equal(envelopeDomain(new OldAddress(text)).kind, 'none')

      assert.equal(new CurrentAddress(text).format(true), '<u@xn--mnchen-3ya.example>')
      assert.deepEqual(envelopeDomain(new CurrentAddress(text)), domain('xn--mnchen-3ya.example'))
    }
  })

  it('is missing where a plugin changed one half of the address', () => {
    const address = new CurrentAddress('<u@contoso.com>')
    address.host = 'fabrikam.example'
    assert.deepEqual(envelopeDomain(address), none('contoso.com'))
  })

  it('accepts addresses without original_host, and returns null for an empty one', () => {
    const made = { address: 'u@contoso.com', host: 'Contoso.com', isNull: () => false }
    assert.deepEqual(envelopeDomain(made), domain('contoso.com'))
    const bare = { address: 'u', host: null, original_host: null, isNull: () => false }
    assert.deepEqual(envelopeDomain(bare), none(''))
  })
})

describe('addressText', () => {
  for (const [library, parse] of Object.entries(PARSERS)) {
    it(library, () => {
      assert.equal(addressText(parse('<User@Contoso.com>')), 'User@Contoso.com')
      assert.equal(addressText(parse('<u@münchen.example>')), 'u@münchen.example')
      assert.equal(addressText(parse('<postmaster>')), 'postmaster')
      assert.equal(addressText(parse('<>')), '')
    })
  }
})

describe('parseEnvelope', () => {
  it('accepts addresses with and without angle brackets', () => {
    assert.deepEqual(envelopeDomain(parseEnvelope('u@contoso.com')), domain('contoso.com'))
    assert.deepEqual(envelopeDomain(parseEnvelope('<u@contoso.com>')), domain('contoso.com'))
    assert.equal(addressText(parseEnvelope('u@contoso.com')), 'u@contoso.com')
  })

  it('answers as current Haraka does', () => {
    for (const text of [
      '<u@MÜNCHEN.example>',
      '<u@contoso。com>',
      '<u@faß.example>',
      '<u@💩.example>',
    ]) {
      assert.equal(parseEnvelope(text).host, new CurrentAddress(text).host)
    }
  })

  it('refuses what is not an envelope address', () => {
    const wrong = [
      ...[
        'contoso.com',
        '@contoso.com',
        'u@',
        'u@contoso..com',
        'u@contoso.com.',
        'u@a_b.example',
        '<u@contoso.com',
      ],
      ...[
        'u@contoso.com ',
        'u@contoso.com\r\n',
        'a b@contoso.com',
        'User <u@contoso.com>',
        'u@con\u200dtoso.com',
      ],
      ...[
        ' ',
        `u@${'a.'.repeat(200)}com`,
        `${'u'.repeat(65)}@contoso.com`,
        'u@\ud800.com',
        'u@[192.0.2.256]',
      ],
    ]
    for (const text of wrong) {
      assert.throws(
        () => parseEnvelope(text),
        (error) =>
          error instanceof InputError && error.message.includes('is not an envelope address'),
        text,
      )
    }
  })
})
