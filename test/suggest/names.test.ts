import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { looksRandom, organisationLabel } from '../../src/suggest/names'

describe('organisationLabel', () => {
  for (const [domain, label] of [
    ['contoso.com', 'contoso'],
    ['mail.contoso.co.uk', 'contoso'],
    ['contoso.github.io', 'contoso'],
    ['co.uk', undefined],
    ['localhost', undefined],
  ] as const) {
    it(`of ${domain}: ${label}`, () => assert.equal(organisationLabel(domain), label))
  }
})

describe('looksRandom', () => {
  for (const label of ['xqkzvwpt', 'a8f3k2lm9', 'bqxhapdkzu', 'wqzhrkfjx', 'x7q2z9k4']) {
    it(`${label} does`, () => assert.equal(looksRandom(label), true))
  }
  for (const label of [
    ...['contoso', 'rechtsschutz', 'angstschweiss', 'strengths', 'w3schools', '365online'],
    ...[
      'xn--mnchen-3ya',
      'bbc',
      'hsbc',
      'szczecin',
      'krzysztof',
      'borg-warner',
      '1und1',
      'route66',
    ],
  ]) {
    it(`${label} does not`, () => assert.equal(looksRandom(label), false))
  }
})
