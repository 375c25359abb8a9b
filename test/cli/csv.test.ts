import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { csv } from '../../src/cli/views/csv'

/** The cells of one record in a spreadsheet that splits at all of these separators and ignores quotes. */
function split(record: string): string[] {
  return record.split(/[,;|\t]/)
}

const HOSTILE = [
  ...['=1+1', '+1', '-1', '@sum', '＝1', '\u0001=1', ' =1', '\t=1'],
  ...['a;=1', 'a|+1', 'a\t-1', 'a\n@1', 'a\r\n=1', 'a; =1', 'a;;=1', 'a;=1;=2', 'a,b;=1', '";=1'],
]

describe('CSV', () => {
  for (const text of HOSTILE) {
    it(`has no cell that is a formula, for any separator: ${JSON.stringify(text)}`, () => {
      const out = csv(['x', 'y'], [['b', text]])
      assert.ok(!split(out).some((cell) => /^["\s]*[=+\-@＝]/.test(cell)), out)
      assert.equal(out.trimEnd().split(/\r\n|\r|\n/).length, 2)
    })
  }

  it('keeps numbers, and texts that are not formulas', () => {
    const texts = ['a=b; c', 'x-y@z', '1; 2', "it's", 'a - b']
    const out = csv([...'vwxyzn'], [[...texts, -1]])
    assert.equal(out, `v,w,x,y,z,n\r\n${texts.join(',')},-1\r\n`)
  })

  it('quotes a text with a comma or a quote, and leaves an absent one empty (RFC 4180)', () => {
    const records = [
      ['a,b', 'say "a"'],
      [null, ''],
    ]
    assert.equal(csv(['x', 'y'], records), 'x,y\r\n"a,b","say ""a"""\r\n,\r\n')
  })

  it('joins several texts of a cell, and defuses a formula that they form together', () => {
    assert.equal(csv(['x'], [[['=1', 'b;=2']]]), "x\r\n'=1 b;'=2\r\n")
  })
})
