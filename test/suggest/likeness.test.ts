import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { measureOf } from '../../src/suggest/candidate'
import { skeletonOf } from '../../src/suggest/imitation'
import { editDistance, imitated, likenessOf } from '../../src/suggest/likeness'

const MEASURE = measureOf({
  accepted: ['contoso.com', 'mail.tailspin.co.uk', 'hq.example', 'xn--mller-kva.example'],
  ...{ acceptedDns: new Map(), networks: [], trip: undefined, now: 0 },
})

describe('the likeness of a domain to those of the tenant', () => {
  for (const [domain, to, percent] of [
    ['news.contoso.com', 'contoso.com', 100],
    ['tailspin.co.uk', 'mail.tailspin.co.uk', 100],
    ['contoso.de', 'contoso.com', 95],
    ['shop.contosso.com', 'contoso.com', 83],
    ['tailspins.com', 'mail.tailspin.co.uk', 84],
    // Only what organisations register is compared.
    ['contoso.github.io', 'contoso.com', 95],
  ] as const) {
    it(`of ${domain} is ${percent} % ${to}`, () => {
      const likeness = likenessOf(domain, MEASURE)
      assert.deepEqual([likeness?.to, Math.floor((likeness?.share ?? 0) * 100)], [to, percent])
    })
  }

  for (const domain of [
    ...['stranger.com', 'contoso.zendesk.com', 'hq.com', 'co.uk', 'localhost'],
    // Neither is it like what it imitates.
    ...['c0ntoso.com', 'xn--cntoso-wqf.com', 'muller.example'],
  ]) {
    it(`of ${domain} is none`, () => assert.equal(likenessOf(domain, MEASURE), undefined))
  }
})

describe('a domain', () => {
  for (const [domain, accepted] of [
    ['c0ntoso.com', 'contoso.com'],
    ['mail.contoso.com', undefined],
    ['contoso.net', undefined],
    ['contosso.com', undefined],
    // Cyrillic о.
    ['xn--cntoso-wqf.com', 'contoso.com'],
    ['muller.example', 'xn--mller-kva.example'],
    ['tai1spin.com', 'mail.tailspin.co.uk'],
  ] as const) {
    it(`${domain} imitates ${accepted ?? 'none'}`, () =>
      assert.equal(imitated(domain, MEASURE), accepted))
  }

  it('has the same skeleton as what it can be taken for', () => {
    assert.equal(skeletonOf('rnicrosoft'), skeletonOf('microsoft'))
    assert.equal(skeletonOf('vvingtip'), skeletonOf('wingtip'))
    assert.notEqual(skeletonOf('contoso'), skeletonOf('fabrikam'))
  })
})

describe('the distance of two texts', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 })
  /** By the definition. */
  const plain = (a: string, b: string): number => {
    if (a === '' || b === '') return a.length + b.length
    if (a[0] === b[0]) return plain(a.slice(1), b.slice(1))
    const shorter = [plain(a.slice(1), b), plain(a, b.slice(1)), plain(a.slice(1), b.slice(1))]
    return 1 + Math.min(...shorter)
  }

  it('is how many letters must be added, dropped or replaced', () => {
    fc.assert(fc.property(text, text, (a, b) => editDistance(a, b) === plain(a, b)))
  })
})
