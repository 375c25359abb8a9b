import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parentsOf, reverseLabels, toDomain } from '../../src/names/domain'

const LDH =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
const label63 = 'a'.repeat(63)
const name253 = `${label63}.${label63}.${label63}.${'a'.repeat(61)}`

/** Parts of look-alikes, and what URL parsers handle wrongly. */
const PIECES = [
  ...[
    'contoso',
    'com',
    'COM',
    '.',
    '.',
    '-',
    '_',
    'xn--',
    'mnchen-3ya',
    '0x1',
    '1',
    'ü',
    'u\u0308',
    'Ü',
  ],
  ...[
    '。',
    '．',
    '｡',
    'ｃ',
    'ſ',
    '\u212a',
    '\u200b',
    '\u200c',
    '\u200d',
    '\u00ad',
    '\u2060',
    '\ufe0f',
    'ß',
    'ẞ',
    'Σ',
  ],
  ...[
    '%2e',
    '%',
    '/',
    '?',
    '#',
    '@',
    ':',
    '[',
    ']',
    '\\',
    ' ',
    '\t',
    '\0',
    '\n',
    'ａ',
    '１',
    '٠',
    '℀',
    '\ud800',
    '💩',
    'א',
    'İ',
    'ı',
  ],
]
const tricky = fc
  .array(fc.constantFrom(...PIECES), { maxLength: 9 })
  .map((pieces) => pieces.join(''))
const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), tricky)
const asciiName = fc.oneof(
  fc.domain(),
  fc.stringMatching(/^[A-Za-z0-9._-]{0,40}$/),
  fc
    .array(fc.constantFrom('a', 'B', '-', '_', '.', '9', '0x'), { maxLength: 12 })
    .map((all) => all.join('')),
)

describe('toDomain', () => {
  const cases: readonly (readonly [why: string, name: string, domain: string | undefined])[] = [
    ['as it is', 'contoso.com', 'contoso.com'],
    ['lower case', 'Mail.CONTOSO.com', 'mail.contoso.com'],
    ['one trailing dot', 'contoso.com.', 'contoso.com'],
    ['no two trailing dots', 'contoso.com..', undefined],
    ['one label', 'localhost', 'localhost'],
    ['underscores', '_bounce.a_b.contoso.com', '_bounce.a_b.contoso.com'],
    ['hyphens inside', 'r3---sn.contoso.com', 'r3---sn.contoso.com'],
    ['no hyphen in front', '-a.contoso.com', undefined],
    ['no hyphen behind', 'a-.contoso.com', undefined],
    ['not nothing', '', undefined],
    ['not the root', '.', undefined],
    ['no empty label', 'contoso..com', undefined],
    ['no empty first label', '.contoso.com', undefined],
    ['a label of 63 octets', `${label63}.com`, `${label63}.com`],
    ['no label of 64', `${label63}a.com`, undefined],
    ['a name of 253 octets', name253, name253],
    ['253 octets and the dot of the root', `${name253}.`, name253],
    ['no name of 254', `${name253}a`, undefined],
    ['no IPv4 address', '192.0.2.1', undefined],
    ['no number as the last label', 'contoso.1', undefined],
    ['no hexadecimal one', 'contoso.0x1F', undefined],
    ['no empty hexadecimal one', 'contoso.0x', undefined],
    ['digits elsewhere', '1.2.3.contoso.0xyz', '1.2.3.contoso.0xyz'],
    ['no literal', '[192.0.2.1]', undefined],
    ['no IPv6', '2001:db8::1', undefined],
    ['nothing behind a slash', 'contoso.com/x', undefined],
    ['no port', 'contoso.com:25', undefined],
    ['no percent-encoding', 'contoso%2ecom', undefined],
    ['no percent-encoding in Unicode either', 'm%C3%BCnchen.example', undefined],
    ['no white space', ' contoso.com', undefined],
    ['no end of line', 'contoso.com\n', undefined],
    ['no NUL', 'contoso.com\0', undefined],

    ['a U-label', 'münchen.example', 'xn--mnchen-3ya.example'],
    ['its A-label', 'xn--mnchen-3ya.example', 'xn--mnchen-3ya.example'],
    ['an A-label in upper case', 'XN--MNCHEN-3YA.Example', 'xn--mnchen-3ya.example'],
    ['a U-label in upper case', 'MÜNCHEN.EXAMPLE', 'xn--mnchen-3ya.example'],
    ['a decomposed U-label', 'mu\u0308nchen.example', 'xn--mnchen-3ya.example'],
    ['a U-label and a trailing dot', 'münchen.example.', 'xn--mnchen-3ya.example'],
    [
      'A-labels beside U-labels',
      'xn--mnchen-3ya.bücher.example',
      'xn--mnchen-3ya.xn--bcher-kva.example',
    ],
    ['underscores beside U-labels', '_dmarc.münchen.example', '_dmarc.xn--mnchen-3ya.example'],
    ['ß, which is not ss', 'faß.example', 'xn--fa-hia.example'],
    ['sigma in upper case', 'ΟΔΟΣ.example', 'xn--pxavbq.example'],
    ['right to left', 'דוגמה.example', 'xn--6dbbec0c.example'],
    [
      'a joiner where the script needs one (RFC 5892 A.2)',
      'क्\u200dष.example',
      'xn--11b2ezcw70k.example',
    ],
    ['beyond the BMP', '𠀀.example', 'xn--j50i.example'],
    ['an invalid A-label as it is', 'xn--a.com', 'xn--a.com'],
    ['no invalid A-label beside a U-label', 'xn--a.ü.example', undefined],
    ['no ideographic dot', 'contoso。com', undefined],
    ['no ideographic dot at the end', 'contoso.com。', undefined],
    ['no full-width dot', 'contoso．com', undefined],
    ['no half-width dot', 'contoso｡com', undefined],
    ['no full-width letter', 'ｃontoso.com', undefined],
    ['no full-width letters beside a U-label', 'ｍail.münchen.example', undefined],
    ['no zero-width space', 'con\u200btoso.com', undefined],
    ['no soft hyphen', 'con\u00adtoso.com', undefined],
    ['no joiner', 'con\u200dtoso.com', undefined],
    ['no word joiner', 'con\u2060toso.com', undefined],
    ['no variation selector', 'contoso\ufe0f.com', undefined],
    ['no byte order mark', '\ufeffcontoso.com', undefined],
    ['no Kelvin sign', '\u212aontoso.com', undefined],
    ['no Kelvin sign beside an umlaut', 'mün\u212aen.example', undefined],
    ['no long s', 'contoſo.com', undefined],
    ['no ligature', 'ﬁrma.example', undefined],
    ['no full-width IPv4', '１９２.0.2.1', undefined],
    ['no compatibility ideograph', '\uf900.example', undefined],
    ['no combining mark in front', '\u0308a.example', undefined],
    ['no lone surrogate', '\ud800.example', undefined],
    ['no replacement character', '\ufffd.example', undefined],
    ['no mapped slash', '℀.example', undefined],
    ['no U-label that gets too long', `${'ü'.repeat(64)}.example`, undefined],
    ['no name that gets too long', `${`${'ü'.repeat(40)}.`.repeat(6)}example`, undefined],
    ['nothing endless', 'ü'.repeat(1e6), undefined],
    ['nothing endless in ASCII', `${'a-'.repeat(1e6)}.com`, undefined],
  ]
  for (const [why, name, domain] of cases) {
    it(`${why}: ${JSON.stringify(name.slice(0, 40))}`, () => {
      assert.equal(toDomain(name), domain)
    })
  }

  it('accepts any text, and returns only lower-case LDH names of at most 253 octets', () => {
    fc.assert(
      fc.property(anyText, (name) => {
        const domain = toDomain(name)
        if (domain !== undefined) assert.match(domain, LDH)
      }),
      { numRuns: 2000 },
    )
  })

  it('does not change its own results', () => {
    fc.assert(
      fc.property(anyText, (name) => {
        const domain = toDomain(name)
        if (domain !== undefined) assert.equal(toDomain(domain), domain)
      }),
      { numRuns: 2000 },
    )
  })

  it('maps no name with non-ASCII letters to a name without', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          tricky,
          tricky.map((piece) => `contoso${piece}.com`),
        ),
        (name) => {
          const domain = toDomain(name)
          if (domain === undefined || domain.includes('xn--')) return
          assert.equal(domain, name.replace(/\.$/, '').toLowerCase())
          assert.match(name, /^[A-Za-z0-9._-]+$/)
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('ignores case', () => {
    fc.assert(
      fc.property(asciiName, (name) => {
        assert.equal(toDomain(name.toUpperCase()), toDomain(name))
        assert.equal(toDomain(name.toLowerCase()), toDomain(name))
      }),
    )
  })

  it('ignores one trailing dot', () => {
    fc.assert(
      fc.property(fc.oneof(asciiName, tricky), (name) => {
        fc.pre(!name.endsWith('.'))
        assert.equal(toDomain(`${name}.`), toDomain(name))
      }),
    )
  })
})

describe('parentsOf', () => {
  it('goes up label by label', () => {
    assert.deepEqual(parentsOf('a.b.c'), ['b.c', 'c'])
    assert.deepEqual(parentsOf('c'), [])
  })

  it('gives every proper suffix at a dot, the longest first', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1 }), (labels) => {
        assert.deepEqual(
          parentsOf(labels.join('.')),
          labels.slice(1).map((_, i) => labels.slice(i + 1).join('.')),
        )
      }),
    )
  })
})

describe('reverseLabels', () => {
  it('reverses labels, not letters', () => {
    assert.equal(reverseLabels('mail.contoso.com'), 'com.contoso.mail')
    assert.equal(reverseLabels('localhost'), 'localhost')
  })

  it('is its own inverse', () => {
    fc.assert(
      fc.property(fc.domain(), (name) => assert.equal(reverseLabels(reverseLabels(name)), name)),
    )
  })
})
