import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InputError } from '../../src/base/errors'
import { classFilter, parseFilter, passes } from '../../src/reporting/filter'
import type { SourceClass } from '../../src/mail/classes'
import { OTHER, type Source } from '../../src/reporting/rows'
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
    ['ip=2001:0DB8:0001:2:0:0:0:1', true],
    ['ip=2001:DB8:1:2:0::/64', true],
    ['ip=2001:db8:1:2::5/128', true],
    ['ip=2001:db8:1:2::/48', false],
    ['ip^=2001:db8:1:', true],
    ['ip^=2001:0DB8:0001:', true],
    ['ip^=2001:db8:10', false],
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

  it('match empty values, (other), and names in Unicode', () => {
    assert.ok(passes(sourceOf({ domain: '' }), [parseFilter('domain=')]))
    assert.ok(passes(sourceOf({ domain: OTHER }), [parseFilter('domain=(other)')]))
    assert.ok(
      passes(sourceOf({ domain: 'xn--bcher-kva.example' }), [parseFilter('domain=bücher.example')]),
    )
  })

  it('match an IPv4 address in any spelling', () => {
    const ipv4 = sourceOf({ ip: '192.0.2.1' })
    for (const text of [
      ...[
        '192.0.2.1',
        '192.0.2.1/32',
        '::ffff:192.0.2.1',
        '::FFFF:c000:201',
        '0:0:0:0:0:ffff:c000:201',
      ],
    ]) {
      assert.ok(passes(ipv4, [parseFilter(`ip=${text}`)]), text)
    }
    for (const start of ['192.0.2.', '::ffff:192.0.2.']) {
      assert.ok(passes(ipv4, [parseFilter(`ip^=${start}`)]), start)
    }
    for (const text of ['::ffff:192.0.2.2', '192.0.2.0/24', '::192.0.2.1', '1::ffff:192.0.2.1']) {
      assert.ok(!passes(ipv4, [parseFilter(`ip=${text}`)]), text)
    }
    assert.ok(passes(sourceOf({ ip: OTHER }), [parseFilter('ip=(other)')]))
    assert.ok(passes(sourceOf({ ip: '' }), [parseFilter('ip=')]))
  })

  it('accept the classes counted by source', () => {
    const foreign = [classFilter('foreign')]
    assert.deepEqual(foreign, [parseFilter('class=foreign')])
    assert.ok(passes(sourceOf({}, 'foreign'), foreign))
    assert.ok(!passes(sourceOf({}, 'forwarded'), foreign))
    for (const text of ['registered', 'null', '', 'for']) {
      assert.throws(() => classFilter(text), /unregistered, foreign, forwarded/, text)
    }
  })

  it('must be KEY=VALUE', () => {
    for (const text of ['', 'domain', 'domain~x', 'helo=x', '=x', 'domain^x', 'constructor=x']) {
      assert.throws(() => parseFilter(text), InputError, text)
    }
  })
})
