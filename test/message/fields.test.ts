import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import PostalMime from 'postal-mime'
import { valuesAt } from '../../src/message/fields'
import { mayHold } from '../../src/message/may-hold'

const NAME = 'x-kind'

/** The header lines, as parsed by Haraka, that some reader may treat as the field. */
function found(header: string): string[] {
  const lines = header.split(/\n(?![ \t])/).map((line) => `${line}\n`)
  return lines.filter((_line, at) => valuesAt(lines, at, NAME).length > 0)
}

const READ_BY_SOME = [
  'X-Kind: a',
  'x-KIND:',
  'X-Kind \t: a',
  'X-Kind\n : a',
  'X-Kind\n\t\n : a',
  'X-\n Kind: a',
  'X-Kind\0: a',
  'X-Kind\v: a',
  'X-Kind\f: a',
  'X-Kind\u00a0: a',
  'X-\u200bKind: a',
  '\ufeffX-Kind: a',
  'X-\u212aind: a',
  'X-Other: a\rX-Kind: a',
  'X-Other: a\vX-Kind: a',
  'X-Other: a\u0085X-Kind: a',
  'X-Other: a\u2028X-Kind\v : a',
  'X-Other: a: b\fX-Kind: a',
  '.X-Kind: a',
  '...X-Kind\n : a',
  'X-Other: a\r.X-Kind: a',
  'X-Kind',
]

const READ_BY_NONE = [
  'X-Kinds: a',
  'X-X-Kind: a',
  'X-Kin: d',
  'X: -Kind: a',
  'Subject: X-Kind: a',
  'Subject: a\n X-Kind: a',
  'Subject: a\r\n\tX-Kind: a',
  'DKIM-Signature: h=from:x-kind:to',
  'DKIM-Signature: h=from:\n x-kind:to',
  'X-Kind a: b',
]

describe('a field of some name', () => {
  for (const header of READ_BY_SOME) {
    it(`is found: ${JSON.stringify(header)}`, () => {
      assert.deepEqual(found(header), [`${header}\n`])
      assert.equal(found(`Subject: hi\n${header}\nTo: b`).length, 1, 'and nothing beside it')
    })
  }
  for (const header of READ_BY_NONE) {
    it(`is not found in another one: ${JSON.stringify(header)}`, () =>
      assert.deepEqual(found(header), []))
  }

  it('is found where another kind of blank continues its line, and the line before it is kept', () => {
    assert.deepEqual(found('Subject: hi\nX-Kind\n\v: a\nTo: b'), ['X-Kind\n'])
    assert.deepEqual(found('Subject: hi\n\vX-Kind: a\nTo: b'), ['\vX-Kind: a\n'])
  })

  it('is found in every place where a mail program finds it', async () => {
    const piece = fc.constantFrom(
      ...[
        'X-Kind',
        'x-kind',
        'X-',
        'Kind',
        'Subject',
        'a',
        ':',
        ': ',
        ' ',
        '\t',
        '\n',
        '\n ',
        '\r',
      ],
      ...['\v', '\f', '\0', '\u00a0', '\ufeff', '\u0085', '\u2028', '\u200b', '\u212a', 'ü'],
    )
    const header = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join(''))
    const property = fc.asyncProperty(header, async (text) => {
      // To Haraka such a beginning is not a header line, or ends the header.
      fc.pre(!/^\s|\n\r?\n|\n$/.test(text))
      const { headers } = await PostalMime.parse(`${text}\n\nbody`)
      if (headers.some(({ key }) => key === NAME)) assert.notDeepEqual(found(text), [])
    })
    await fc.assert(property, { numRuns: 3000 })
  })

  it('is fast with any header', () => {
    const lines = [
      ...Array<string>(1000).fill(`\v${'x-kind\v'.repeat(100)}\n`),
      `${'x-kind:\v'.repeat(100_000)}\n`,
      `${'\u212a\v'.repeat(300_000)}\n`,
    ]
    for (const at of lines.keys()) valuesAt(lines, at, NAME)
  })
})

describe('a line that is not read to its end', () => {
  const USUAL = [
    'Received: from mx.x-kind.example ([192.0.2.1]:25) by far.example;\n\tMon, 30 Nov 10:51:00\n',
    'DKIM-Signature: v=1; h=from:to:x-kind:date\n :subject; bh=YWJj=;\n b=ZGVm\n',
    'To: anna@contoso-x-kind\n',
    'Subject: Grüße: x-kinds, and not one x-kind\n',
    'X-Kinds: a\n',
  ]
  for (const line of USUAL) {
    it(`is this, for one: ${JSON.stringify(line)}`, () => assert.equal(mayHold(line, NAME), false))
  }

  it('never holds the field', () => {
    const piece = fc.constantFrom(
      ...[
        'X-Kind',
        'x-kind',
        'X-',
        'kIND',
        'k',
        'x',
        '-',
        'd',
        'Subject',
        'a',
        '.',
        '..',
        ':',
        ': ',
      ],
      ...[
        ' ',
        '\t',
        '\n',
        '\n ',
        '\n\t',
        '\r',
        '\r\n',
        '\r\n ',
        '\v',
        '\f',
        '\0',
        '\x7f',
        '\u0085',
      ],
      ...['\u00a0', '\ufeff', '\u2028', '\u200b', '\u212a', 'ｘ', '\u0301', 'ü', '😀', '@', '['],
    )
    const line = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join(''))
    let unread = 0
    fc.assert(
      fc.property(line, (text) => {
        if (mayHold(text, NAME)) return
        unread++
        // What continues it makes the reader look at every character.
        assert.deepEqual(valuesAt([text, '\v'], 0, NAME), [])
      }),
      { numRuns: 20_000 },
    )
    assert.ok(unread > 2000, `${unread} not read`)
  })
})
