import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'node:test'
import { TextIndex, type TextMatch } from '../../src/base/text-index'

/** What a search is to find, in the plainest way. */
function plainly(
  texts: ReadonlyMap<string, readonly string[]>,
  part: string,
  most: number,
): TextMatch[] {
  const all = [...texts].flatMap(([key, lines]) => lines.map((line) => ({ key, line })))
  const starting = all.filter(({ line }) => line.startsWith(part))
  const others = all.filter(({ line }) => !line.startsWith(part) && line.includes(part))
  return [...starting, ...others].slice(0, most)
}

const word = fc.stringMatching(/^[ab.é]{0,6}$/)

describe('a text index', () => {
  it('finds what a look at each line finds, lines that begin with the part first', () => {
    const texts = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[k-z]{1,2}$/), fc.array(word)), {
      selector: ([key]) => key,
    })
    const part = fc.stringMatching(/^[ab.é]{1,3}$/)
    fc.assert(
      fc.property(texts, part, fc.integer({ min: 1, max: 8 }), (given, wanted, most) => {
        const index = new TextIndex()
        for (const [key, lines] of given) index.set(key, lines)
        assert.deepEqual(index.find(wanted, most), plainly(new Map(given), wanted, most))
      }),
    )
  })

  it('forgets lines that are replaced, and keys that are not kept', () => {
    const index = new TextIndex()
    index.set('contoso', ['contoso.com', 'contoso.org'])
    index.set('fabrikam', ['fabrikam.com'])
    index.set('contoso', ['contoso.net'])
    assert.deepEqual(index.find('.', 9), [
      { key: 'contoso', line: 'contoso.net' },
      { key: 'fabrikam', line: 'fabrikam.com' },
    ])
    index.keepOnly(new Set(['fabrikam']))
    assert.deepEqual(index.find('con', 9), [])
    assert.equal(index.size, 1)
  })
})
