import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InputError } from '../../src/errors'
import { classFilter, parseFilter, passes } from '../../src/reporting/filter'
import { OTHER, type Source, type SourceClass } from '../../src/reporting/rows'
import { sourceOf as source } from '../support/reports'

const sourceOf = (
  of: Partial<Source>,
  sourceClass: SourceClass = 'unregistered',
): Source & { class: SourceClass } => ({ ...source(of), class: sourceClass })

const SOURCE = sourceOf({
  domain: 'lure.example',
  connector: 'contoso/exchange',
  ip: '2001:db8:1:2::/64',
  user: 'Bob@contoso.com',
})

describe('filters', () => {
  for (const [filter, expected] of [
    ['domain=lure.example', true],
    ['domain=LURE.example.', true],
    ['domain=lure', false],
    ['domain^=lure', true],
    ['domain^=LURE', true],
    ['domain^=ure', false],
    ['connector=contoso/exchange', true],
    ['connector=exchange', true],
    ['connector=contoso', false],
    ['connector^=ex', true],
    ['connector^=contoso/', true],
    ['ip=2001:db8:1:2::/64', true],
    ['ip=2001:db8:1:2:ffff::1', true],
    ['ip=2001:db8:1:3::1', false],
    ['ip^=2001:db8:1:', true],
    ['user=bob@contoso.com', true],
    ['user=', false],
    ['user^=', true],
    ['user=a=b', false],
    ['class=unregistered', true],
    ['class=foreign', false],
    ['class=forwarded', false],
  ] as const) {
    it(`${filter}: ${expected ? 'passes' : 'does not'}`, () => {
      assert.equal(passes(SOURCE, [parseFilter(filter)]), expected)
    })
  }

  it('must all hold', () => {
    const of = (...texts: string[]): boolean => passes(SOURCE, texts.map(parseFilter))
    assert.equal(of(), true)
    assert.equal(of('domain^=lure', 'connector=exchange'), true)
    assert.equal(of('domain^=lure', 'connector=web'), false)
  })

  it('find what is none, what is other, and names in Unicode', () => {
    assert.ok(passes(sourceOf({ domain: '' }), [parseFilter('domain=')]))
    assert.ok(passes(sourceOf({ domain: OTHER }), [parseFilter('domain=(other)')]))
    assert.ok(
      passes(sourceOf({ domain: 'xn--bcher-kva.example' }), [parseFilter('domain=bücher.example')]),
    )
  })

  it('know the classes that are told apart', () => {
    const foreign = [classFilter('foreign')]
    assert.deepEqual(foreign, [parseFilter('class=foreign')])
    assert.ok(passes(sourceOf({}, 'foreign'), foreign))
    assert.ok(!passes(sourceOf({}, 'forwarded'), foreign))
    for (const text of ['registered', 'null', '', 'for']) {
      assert.throws(() => classFilter(text), /unregistered, foreign, forwarded/, text)
    }
  })

  it('are KEY=VALUE', () => {
    for (const text of ['', 'domain', 'domain~x', 'helo=x', '=x', 'domain^x', 'constructor=x']) {
      assert.throws(() => parseFilter(text), InputError, text)
    }
  })
})
