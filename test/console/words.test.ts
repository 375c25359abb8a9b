import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { WORDS, type Word } from '../../src/console/kit/words'

const ALL: readonly Word[] = Object.values(WORDS)
const MICROSOFTS = ALL.flatMap(({ exchange }) => exchange ?? [])

describe('the words of the console', () => {
  it('have one title each', () => {
    const titles = ALL.map(({ title }) => title.toLowerCase())
    assert.deepEqual(titles, [...new Set(titles)])
  })

  it('name each word of Exchange Online once', () => {
    assert.deepEqual(MICROSOFTS, [...new Set(MICROSOFTS)])
  })

  it('are explained in sentences', () => {
    for (const { title, meaning } of ALL) assert.match(meaning, /\.$/, title)
  })

  it('are those that operators were promised', () => {
    const titles = ALL.map(({ title }) => title)
    for (const each of [
      'Restricted automatically',
      'Unblock',
      'Another tenant’s domain',
      'Deferred because Redis was away',
      'Checklist 2 of 4',
      'Host not reporting',
    ]) {
      assert.ok(titles.includes(each), each)
    }
  })
})
