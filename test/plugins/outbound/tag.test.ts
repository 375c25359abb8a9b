import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tagOf } from '../../../plugins/outbound/tag'

const tag = (note: unknown): string | undefined => tagOf({ unregistered_domain: note })

describe('the tag', () => {
  it('names class, tenant and connector, as far as they are known', () => {
    const note = { tenant: 'contoso', connector: 'contoso/mx', class: 'foreign' }
    assert.equal(tag(note), 'foreign; tenant=contoso; connector=mx')
    assert.equal(tag({ ...note, connector: null }), 'foreign; tenant=contoso')
    assert.equal(tag({ ...note, class: null }), 'unknown; tenant=contoso; connector=mx')
    assert.equal(tagOf({}), undefined)
  })

  it('leaves out names that a parser could misread', () => {
    for (const hostile of ['a; tenant=b', 'a\r\nX: y', 'a b', 'ä', '', 'a'.repeat(64)]) {
      assert.equal(tag({ tenant: hostile, connector: `${hostile}/mx`, class: 'null' }), 'null')
      const note = { tenant: 'contoso', connector: `contoso/${hostile}`, class: 'registered' }
      assert.equal(tag(note), 'registered; tenant=contoso')
    }
    assert.equal(tag({ tenant: 'contoso', class: 'x; y' }), 'unknown; tenant=contoso')
  })
})
