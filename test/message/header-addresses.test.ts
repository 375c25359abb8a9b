import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import addressparser from 'nodemailer/lib/addressparser'
import { MAX_FIELD, parseAnyForm, parseHeaderAddresses } from '../../src/message/header-addresses'
import { usualAddress } from '../../src/message/usual-address'

/** A field, and the domains of its addresses; `!`: an address without one. */
type Row = readonly [field: string, domains: string]

const CLEAR: readonly Row[] = [
  ['anna@contoso.com', 'contoso.com'],
  [' Anna Bell <anna@contoso.com>\n', 'contoso.com'],
  ['Anna\r\n <anna@contoso.com>', 'contoso.com'],
  ['anna@CONTOSO.com', 'contoso.com'],
  ['anna@contoso.com.', 'contoso.com'],
  ['Anna Bell anna@contoso.com', 'contoso.com'],
  // Names, comments and quoted strings that look like addresses.
  ['"anna@contoso.com" <x@evil.example>', 'evil.example'],
  ['"x@evil.example" <anna@contoso.com>', 'contoso.com'],
  ['"Anna\\" <x@evil.example>" <anna@contoso.com>', 'contoso.com'],
  ['Anna "x@evil.example" Bell <anna@contoso.com>', 'contoso.com'],
  ['=?utf-8?q?x=40evil.example=2C?= <anna@contoso.com>', 'contoso.com'],
  ['anna@contoso.com (x@evil.example)', 'contoso.com'],
  ['(anna@contoso.com) x@evil.example', 'evil.example'],
  ['(a(b@evil.example)c) anna@contoso.com', 'contoso.com'],
  ['(\\) x@evil.example, ) anna@contoso.com', 'contoso.com'],
  ['(") anna@contoso.com (")', 'contoso.com'],
  ['anna(c)@contoso.com', 'contoso.com'],
  // Local parts.
  ['"x@evil.example"@contoso.com', 'contoso.com'],
  ['"x\\"@evil.example"@contoso.com', 'contoso.com'],
  ['<"a b"@contoso.com>', 'contoso.com'],
  ['"a".b@contoso.com', 'contoso.com'],
  ['a."x@evil.example"@contoso.com', 'contoso.com'],
  ['müller@contoso.com', 'contoso.com'],
  ['anna\0@contoso.com', 'contoso.com'],
  ["o'brien+a=b@contoso.com", 'contoso.com'],
  // Lists and groups.
  ['anna@contoso.com, x@evil.example', 'contoso.com evil.example'],
  ['anna@contoso.com; x@evil.example', 'contoso.com evil.example'],
  ['anna@contoso.com,, x@evil.example,', 'contoso.com evil.example'],
  ['Team: anna@contoso.com, "B" <x@evil.example>;', 'contoso.com evil.example'],
  ['A: anna@contoso.com;, x@evil.example', 'contoso.com evil.example'],
  ['A: anna@contoso.com, B: x@evil.example;;', 'contoso.com evil.example'],
  ['Team: anna@contoso.com', 'contoso.com'],
  ['"Team: x" <anna@contoso.com>', 'contoso.com'],
  ['Müller, Anna <anna@contoso.com>', 'contoso.com'],
  ['Undisclosed:;', ''],
  // No address.
  ['', ''],
  [' \r\n ', ''],
  ['root', ''],
  ['Anna <>', ''],
  ['anna at contoso.com', ''],
  ['=?utf-8?q?anna=40contoso.com?=', ''],
  // No domain.
  ['anna@', '!'],
  ['anna@[192.0.2.1]', '!'],
  ['anna@192.0.2.1', '!'],
  ['anna@contoso..com', '!'],
  // IDNA.
  ['anna@münchen.example', 'xn--mnchen-3ya.example'],
  ['anna@xn--mnchen-3ya.example', 'xn--mnchen-3ya.example'],
  ['anna@contoso。com', '!'],
  ['anna@contoso.com\ufffd', '!'],
  // Shown as another address by programs that decode too early.
  ['=?utf-8?b?eEBldmlsLmV4YW1wbGU=?=@contoso.com', '!'],
  ['anna@=?utf-8?q?contoso.com?=', '!'],
  // Without an end, but with one meaning.
  ['Anna <anna@contoso.com', 'contoso.com'],
  ['<<anna@contoso.com>>', 'contoso.com'],
  ['Re: Anna <mailto:anna@contoso.com>', 'contoso.com'],
]

/** Where readers differ: every address that one of them could find. */
const UNCLEAR: readonly Row[] = [
  ['anna@contoso.com <anna@contoso.com>', 'contoso.com'],
  ['x@evil.example <anna@contoso.com>', 'contoso.com evil.example'],
  ['anna@contoso.com <x@evil.example>', 'contoso.com evil.example'],
  ['<anna@contoso.com> <x@evil.example>', 'contoso.com evil.example'],
  ['<x@evil.example> anna@contoso.com', 'contoso.com evil.example'],
  ['anna@contoso.com x@evil.example', 'contoso.com evil.example'],
  ['Anna <anna@contoso.com> via x@evil.example', 'contoso.com evil.example'],
  ['<anna@contoso.com,x@evil.example>', 'contoso.com evil.example'],
  ['<x@evil.example,anna@contoso.com>', 'contoso.com evil.example'],
  ['<x@evil.example anna@contoso.com>', 'contoso.com evil.example'],
  ['anna@contoso.com:x@evil.example', 'contoso.com evil.example'],
  ['x@evil.example"" <anna@contoso.com>', 'contoso.com evil.example'],
  ['anna@contoso.com@evil.example', 'contoso.com evil.example'],
  ['anna@evil.example@contoso.com', 'contoso.com evil.example'],
  // Once allowed: routes, and gaps around dots.
  ['<@evil.example:anna@contoso.com>', 'contoso.com evil.example'],
  ['anna@evil.example .contoso.com', 'evil.example evil.example.contoso.com'],
  ['anna@evil.example(c).contoso.com', 'evil.example evil.example.contoso.com'],
  ['anna@evil.example\r\n .contoso.com', 'evil.example evil.example.contoso.com'],
  ['anna @ contoso . com', '! contoso.com'],
  // Quotes and brackets that do not close, and escapes where there are none.
  ['"Anna <anna@contoso.com>', 'contoso.com'],
  ['(Anna <anna@contoso.com>', 'contoso.com'],
  ['Anna) <anna@contoso.com>', 'contoso.com'],
  ['"x@evil.example <anna@contoso.com>', 'contoso.com evil.example'],
  ['(a(b) x@evil.example, anna@contoso.com', 'contoso.com evil.example'],
  ['\\" x@evil.example, "<anna@contoso.com>', 'contoso.com evil.example'],
  ['\\(x@evil.example) <anna@contoso.com>', 'contoso.com evil.example'],
  ['anna@contoso.com (x@evil.example\\', 'contoso.com evil.example'],
  // Characters that some programs ignore, treat as a gap or as a letter.
  ['x@evil.example\0@contoso.com', '! contoso.com'],
  ['anna@contoso.com\0.evil.example', '! contoso.com.evil.example'],
  ['anna@contoso.com\u00a0.evil.example', '! contoso.com'],
  ['anna@contoso.com\u00a0x@evil.example', '! contoso.com evil.example'],
  ['anna@[x@evil.example]', '!'],
]

const word = fc.stringMatching(/^[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,12}$/)
const domain = fc.array(fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/), { minLength: 2, maxLength: 4 })
const anyText = fc.string({ unit: 'binary', maxLength: 20 })
const quoted = anyText.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`)
const comment = anyText.map((text) => `(${text.replace(/[()\\]/g, '\\$&')})`)
const mailbox = fc.record({
  local: fc.oneof(word, quoted),
  domain: domain.map((labels) => labels.join('.')),
  name: fc.oneof(fc.constant(undefined), word, quoted),
  comment: fc.oneof(fc.constant(''), comment),
})
type Mailbox = typeof mailbox extends fc.Arbitrary<infer One> ? One : never

function written(one: Mailbox): string {
  const address = `${one.local}@${one.domain}`
  return `${one.name === undefined ? address : `${one.name} <${address}>`} ${one.comment}`
}

function domainsOf(field: string): string[] {
  return parseHeaderAddresses(field).addresses.map((one) => one.domain ?? '!')
}

describe('parseHeaderAddresses', () => {
  for (const [field, domains] of CLEAR) {
    it(`finds what all readers find in ${JSON.stringify(field)}`, () => {
      assert.equal(domainsOf(field).join(' '), domains)
      assert.equal(parseHeaderAddresses(field).clear, true)
    })
  }

  for (const [field, domains] of UNCLEAR) {
    it(`finds everything that some reader finds in ${JSON.stringify(field)}`, () => {
      assert.equal([...new Set(domainsOf(field))].sort().join(' '), domains)
      assert.equal(parseHeaderAddresses(field).clear, false)
    })
  }

  it('returns the address as written', () => {
    const { addresses } = parseHeaderAddresses('"A" <Anna.B@Contoso.com>, "x@y"(c)@contoso.com')
    assert.deepEqual(
      addresses.map(({ address }) => address),
      ['Anna.B@Contoso.com', '"x@y"@contoso.com'],
    )
  })

  it('finds each address of a valid list', () => {
    const group = fc.tuple(word, fc.array(mailbox, { maxLength: 4 }))
    fc.assert(
      fc.property(fc.array(fc.oneof(mailbox, group), { maxLength: 6 }), (list) => {
        const field = list
          .map((one) =>
            Array.isArray(one) ? `${one[0]}: ${one[1].map(written).join(',\r\n ')};` : written(one),
          )
          .join(', ')
        const expected = list.flatMap((one) =>
          Array.isArray(one) ? one[1].map((member) => member.domain) : [one.domain],
        )
        const encoded = /=\?[^?]*\?[bq]\?/i.test(field)
        if (!encoded) assert.deepEqual(domainsOf(field), expected)
      }),
      { numRuns: 2000 },
    )
  })

  it('finds every domain after an unquoted @, with any text around it', () => {
    const pieces = fc.constantFrom(
      ...['@', '.', ' ', ',', ';', ':', '<', '>', '(', ')', '"', '\\', '\0', '\u00a0', '\r\n '],
      ...['a', 'contoso.com', 'evil.example', '=?utf-8?q?', '?=', '[', ']', 'ü'],
    )
    const text = fc.array(pieces, { maxLength: 16 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, text, (before, after) => {
        // After a comma, without quotes or comments before it, all readers see this one.
        const field = `${before.replace(/["()\\]/g, '')}, x@evil.example, ${after}`
        assert.ok(domainsOf(field).includes('evil.example'), field)
      }),
      { numRuns: 5000 },
    )
  })

  it('loses no address that the parser alone finds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const { addresses } = parseHeaderAddresses(text)
        const alone = addressparser(text, { flatten: true }).filter((one) =>
          one.address.includes('@'),
        )
        assert.ok(addresses.length >= alone.length)
      }),
      { numRuns: 5000 },
    )
  })

  it('reads a field of the greatest length, and no longer one', () => {
    const list = 'a@contoso.com,'.repeat(Math.floor(MAX_FIELD / 14))
    assert.equal(parseHeaderAddresses(list).addresses.length, Math.floor(MAX_FIELD / 14))
    const longer = 'a@contoso.com,'.repeat(100_000)
    assert.deepEqual(parseHeaderAddresses(longer), { addresses: [], clear: false })
  })

  for (const piece of [
    '@',
    'x',
    '"',
    '(',
    ')',
    '()',
    '\\',
    '<',
    ' ',
    ',',
    'A:',
    'a@',
    '=?',
    ' .c',
  ]) {
    it(`never throws where ${JSON.stringify(piece)} is the whole field`, () => {
      const field = piece.repeat(Math.floor((MAX_FIELD - 4) / piece.length))
      parseHeaderAddresses(field)
      parseHeaderAddresses(`${field}@b.c`)
      parseHeaderAddresses(`a@b${field}`)
    })
  }
})

describe('a field of the usual form', () => {
  const USUAL = [
    'anna@contoso.com',
    ' Anna.Bell+x=y@CONTOSO.com\n',
    '<anna@contoso.com>',
    'Anna B. Bell <anna@contoso.com>',
    'Anna\r\n <anna@contoso.com>',
    'Anna\n\t<anna@contoso.com>',
    '=?utf-8?q?Anna_B=C3=A4ll?= <anna@contoso.com>',
    '"Bell, Anna (Sales)" <anna@contoso.com>',
    '"x@evil.example"<anna@contoso.com>',
    'anna@contoso..com.',
    'anna@192.0.2.1',
  ]
  for (const field of USUAL) {
    it(`is read without the parser: ${JSON.stringify(field)}`, () => {
      assert.notEqual(usualAddress(field), undefined)
      assert.deepEqual(parseHeaderAddresses(field), parseAnyForm(field))
    })
  }

  it('is read as the parser reads it, with any characters in any places', () => {
    const piece = fc.constantFrom(
      ...['@', '.', '..', ' ', ',', ';', ':', '<', '>', '(', ')', '"', '\\', '\0', '\u00a0', '\v'],
      ...['\r\n ', '\n\t', '\n', '\r', '\t', 'a', 'Anna', 'contoso.com', 'xn--a', '192.0.2.1', '1'],
      ...['=?utf-8?q?x=40e.example?=', '?', '=', '[', ']', '-', '_', "'", '`', '|', 'ü', '\ufeff'],
      ...[
        '@contoso.com',
        '<a@contoso.com>',
        '"A, B"',
        '"a@b.c"',
        'mailto:',
        '<>',
        '\x7f',
        '\u2028',
      ],
    )
    const pieces = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(''))
    const almostUsual = fc
      .tuple(pieces, fc.constantFrom(...USUAL), pieces)
      .map((all) => all.join(''))
    const noise = fc.string({ unit: 'binary-ascii', maxLength: 3 })
    const oneChanged = fc
      .tuple(fc.constantFrom(...USUAL), fc.nat({ max: 40 }), fc.oneof(piece, noise))
      .map(([field, at, more]) => field.slice(0, at) + more + field.slice(at))
    let usual = 0
    fc.assert(
      fc.property(fc.oneof(pieces, almostUsual, oneChanged, mailbox.map(written)), (field) => {
        if (usualAddress(field) !== undefined) usual++
        assert.deepEqual(parseHeaderAddresses(field), parseAnyForm(field))
      }),
      { numRuns: 20_000 },
    )
    assert.ok(usual > 2000, `${usual} of the usual form`)
  })

  it('is told from others in time that grows with the length only', () => {
    for (const piece of [' ', 'a', 'a ', '"', '<', '@', 'a@', '" "']) {
      const text = piece.repeat(1_000_000 / piece.length)
      for (const begin of ['', '<', '"', 'a', '"a" ', 'a@b', '<a@b']) {
        assert.equal(usualAddress(`${begin}${text}\0`), undefined)
      }
    }
  })
})
