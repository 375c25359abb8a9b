import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromFields, headerFromMismatch, LONGEST_FROM } from '../../src/message/mismatch'

const NONE = ''
const FITS = undefined

function isAccepted(domain: string): boolean {
  return (
    ['contoso.com', 'xn--mnchen-3ya.example'].includes(domain) || domain.endsWith('.tree.example')
  )
}

/** Fields, and the domain that does not fit. */
const ONE_FIELD: readonly (readonly [field: string, mismatch: string | undefined])[] = [
  // Common forms.
  ['anna@contoso.com', FITS],
  ['Anna Bell <anna@contoso.com>', FITS],
  ['"Bell, Anna" <anna@contoso.com>', FITS],
  ['=?utf-8?q?Anna_B=C3=A4ll?= <anna@contoso.com>', FITS],
  ['Anna Bell\r\n\t<anna@contoso.com>\n', FITS],
  ['anna@contoso.com (Anna Bell)', FITS],
  ['Anna@Contoso.COM', FITS],
  ['anna@a.b.tree.example', FITS],
  ['anna@münchen.example', FITS],
  ['anna@xn--mnchen-3ya.example', FITS],
  ['"anna bell"@contoso.com', FITS],
  ['x@evil.example', 'evil.example'],
  ['Anna Bell <x@evil.example>', 'evil.example'],
  ['anna@mail.contoso.com', 'mail.contoso.com'],
  ['anna@contoso.com.evil.example', 'contoso.com.evil.example'],
  ['anna@notcontoso.com', 'notcontoso.com'],
  ['anna@bücher.example', 'xn--bcher-kva.example'],
  // Invalid forms that real programs write.
  ['Bell, Anna <anna@contoso.com>', FITS],
  ['anna@contoso.com <anna@contoso.com>', FITS],
  ['anna@contoso.com "x@evil.example" <anna@contoso.com>', FITS],
  ['Anna [Sales] <anna@contoso.com>', FITS],
  ['Sales: Anna <anna@contoso.com>', FITS],
  ['"Anna <anna@contoso.com>', FITS],
  ['Anna :-) <anna@contoso.com>', FITS],
  ['<mailto:anna@contoso.com>', FITS],
  ['Anna Müller <anna@contoso.com>', FITS],
  ['Anna\0 <anna@contoso.com>', FITS],
  // Names and comments are ignored.
  ['"x@evil.example" <anna@contoso.com>', FITS],
  ['"x@evil.example via List" <list@contoso.com>', FITS],
  ['=?utf-8?q?x=40evil.example?= <anna@contoso.com>', FITS],
  ['anna@contoso.com (x@evil.example)', FITS],
  ['"anna@contoso.com" <x@evil.example>', 'evil.example'],
  ['(anna@contoso.com) x@evil.example', 'evil.example'],
  ['=?utf-8?q?anna=40contoso.com?= <x@evil.example>', 'evil.example'],
  // Several.
  ['anna@contoso.com, bert@a.tree.example', FITS],
  ['Team: anna@contoso.com, bert@contoso.com;', FITS],
  ['anna@contoso.com, x@evil.example', 'evil.example'],
  ['x@evil.example, anna@contoso.com', 'evil.example'],
  ['Team: anna@contoso.com, x@evil.example;', 'evil.example'],
  ['Team: anna@contoso.com;, x@evil.example', 'evil.example'],
  ['anna@contoso.com, root@[192.0.2.1], x@evil.example', 'evil.example'],
  // Read differently by different programs.
  ['x@evil.example <anna@contoso.com>', 'evil.example'],
  ['anna@contoso.com <x@evil.example>', 'evil.example'],
  ['<anna@contoso.com> <x@evil.example>', 'evil.example'],
  ['<x@evil.example> <anna@contoso.com>', 'evil.example'],
  ['anna@contoso.com x@evil.example', 'evil.example'],
  ['<x@evil.example,anna@contoso.com>', 'evil.example'],
  ['x@evil.example@contoso.com', 'evil.example'],
  ['anna@contoso.com@evil.example', 'evil.example'],
  ['<@evil.example:anna@contoso.com>', 'evil.example'],
  ['x@evil.example .tree.example', 'evil.example'],
  ['"x@evil.example"@contoso.com', FITS],
  ['x@evil.example"" <anna@contoso.com>', 'evil.example'],
  ['(x@evil.example, anna@contoso.com', 'evil.example'],
  ['\\" x@evil.example, "<anna@contoso.com>', 'evil.example'],
  ['x@evil.example\0@contoso.com', NONE],
  ['anna@contoso.com\0.evil.example', 'contoso.com.evil.example'],
  ['anna@contoso.com\u00a0.evil.example', NONE],
  // Local parts that some programs decode and show as the address.
  ['=?utf-8?b?eEBldmlsLmV4YW1wbGU=?=@contoso.com', NONE],
  ['=?utf-8?q?x=40evil.example=00?=@contoso.com', NONE],
  // No address, or none with a domain name.
  ['', NONE],
  [' \r\n ', NONE],
  ['Undisclosed:;', NONE],
  ['root', NONE],
  ['Anna Bell', NONE],
  ['<>', NONE],
  ['Anna <>', NONE],
  ['anna@', NONE],
  ['anna@[192.0.2.1]', NONE],
  ['anna@[IPv6:2001:db8::1]', NONE],
  ['anna@[contoso.com]', NONE],
  ['anna@contoso。com', NONE],
  ['anna@ｃontoso.com', NONE],
  ['anna@contoso.com\ufffd', NONE],
  ['anna@contoso..com', NONE],
  ['anna@contoso.com, bert@localhost.', 'localhost'],
]

describe('headerFromMismatch', () => {
  for (const [field, mismatch] of ONE_FIELD) {
    const how = mismatch === FITS ? 'fits' : `does not fit by ${mismatch || 'no name'}`
    it(`${JSON.stringify(field)} ${how}`, () => {
      assert.equal(headerFromMismatch([field], isAccepted), mismatch)
    })
  }

  it('does not fit where there is no From', () => {
    assert.equal(headerFromMismatch([], isAccepted), NONE)
  })

  it('checks all From fields of a message', () => {
    assert.equal(headerFromMismatch(['anna@contoso.com', 'bert@contoso.com'], isAccepted), FITS)
    for (const fields of [
      ['anna@contoso.com', 'x@evil.example'],
      ['x@evil.example', 'anna@contoso.com'],
      ['root', 'x@evil.example'],
    ]) {
      assert.equal(headerFromMismatch(fields, isAccepted), 'evil.example')
    }
  })

  it('never fits with a foreign address in a list, at any place and in any spelling', () => {
    const own = fc.constantFrom(
      ...['anna@contoso.com', 'A <anna@contoso.com>', '"x@y.example" <anna@contoso.com> (c)'],
      ...['Team: a@contoso.com, b@a.tree.example;', 'Bell, A <anna@contoso.com>', 'root', 'E:;'],
    )
    const foreign = fc.constantFrom(
      ...['x@evil.example', '<x@evil.example>', '"anna@contoso.com" <x@evil.example>'],
      ...[
        'T: x@evil.example;',
        '(anna@contoso.com) x@evil.example',
        'T: a@contoso.com, x@evil.example;',
      ],
      ...['"a@contoso.com"@evil.example', 'anna@contoso.com x@evil.example'],
    )
    fc.assert(
      fc.property(fc.array(own), foreign, fc.array(own), (before, one, after) => {
        const fields = [[...before, one, ...after].join(', ')]
        assert.equal(headerFromMismatch(fields, isAccepted), 'evil.example')
      }),
    )
  })

  it('never names an accepted domain or a text that is not a domain', () => {
    const pieces = fc.constantFrom(
      ...['@', '.', ' ', ',', ';', ':', '<', '>', '(', ')', '"', '\\', '\0', '\u00a0', '\r\n '],
      ...['a', 'contoso.com', 'evil.example', '.tree.example', '=?utf-8?q?', '?=', '[', ']', 'ü'],
    )
    const text = fc.array(pieces, { maxLength: 16 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.array(text, { maxLength: 3 }), (fields) => {
        const mismatch = headerFromMismatch(fields, isAccepted)
        if (mismatch) assert.match(mismatch, /^[a-z0-9_.-]{1,253}$/)
        assert.ok(!mismatch || !isAccepted(mismatch))
      }),
      { numRuns: 5000 },
    )
  })

  it('reads nothing of an overlong From, in one field or in many', () => {
    let asked = 0
    const counting = (domain: string): boolean => {
      asked++
      return isAccepted(domain)
    }
    const address = 'a@contoso.com,'
    const longest = address.repeat(Math.floor(LONGEST_FROM / address.length))
    assert.equal(headerFromMismatch([longest], counting), FITS)
    asked = 0
    assert.equal(headerFromMismatch([address.repeat(100_000)], counting), NONE)
    assert.equal(headerFromMismatch([`"${'a'.repeat(1_000_000)}" <a@contoso.com>`], counting), NONE)
    assert.equal(headerFromMismatch(Array<string>(1000).fill('a@contoso.com'), counting), NONE)
    assert.equal(asked, 0)
  })
})

describe('a message with a From that only some programs find', () => {
  const own = 'From: anna@contoso.com\n'
  for (const hidden of [
    'From\n : x@evil.example\n',
    'From\n\t: x@evil.example\n',
    'From\r\n \r\n : x@evil.example\n',
    'From\0: x@evil.example\n',
    '\0From: x@evil.example\n',
    'From\v: x@evil.example\n',
    'From\u00a0: x@evil.example\n',
    '\ufeffFrom: x@evil.example\n',
    'Fr\u200bom: x@evil.example\n',
    'X-Other: a\vFrom: x@evil.example\n',
    'X-Other: a\u0085From : x@evil.example\n',
  ]) {
    it(`does not fit: ${JSON.stringify(hidden)}`, () => {
      for (const lines of [
        [own, hidden],
        [hidden, own],
      ]) {
        assert.equal(headerFromMismatch(fromFields(lines), isAccepted), 'evil.example')
      }
    })
  }

  it('does not fit with an address after another kind of blank', () => {
    const lines = [own, '\v, x@evil.example\n', 'Subject: hi\n']
    assert.equal(headerFromMismatch(fromFields(lines), isAccepted), 'evil.example')
  })
})

describe('fromFields', () => {
  it('finds each From, in any case, and with the once allowed gap before the colon', () => {
    const lines = [
      'Received: from x@evil.example (x)\n',
      'From: a@contoso.com\n',
      'FROM:b@contoso.com\n',
      'from \t: c@contoso.com\n',
      'From:\n d@contoso.com,\n e@contoso.com\n',
    ]
    assert.deepEqual(fromFields(lines), [
      ' a@contoso.com\n',
      'b@contoso.com\n',
      ' c@contoso.com\n',
      '\n d@contoso.com,\n e@contoso.com\n',
    ])
  })

  it('finds no From in other fields, their continuations, or mailbox separators', () => {
    const lines = [
      'Resent-From: x@evil.example\n',
      'X-From: x@evil.example\n',
      'Subject: a\n From: x@evil.example\n',
      'Subject: a\r\n From: x@evil.example\n',
      'From x@evil.example Mon Jan  1 00:00:00 2026\n',
    ]
    assert.deepEqual(fromFields(lines), [])
    assert.deepEqual(fromFields(['From\n']), [''])
  })

  it('finds one after a bare CR, which ends a line for some mail programs', () => {
    const fields = fromFields(['Subject: a\rFrom: x@evil.example\rTo: b@far.example\n'])
    assert.deepEqual(fields, [' x@evil.example\rTo: b@far.example\n'])
  })
})
