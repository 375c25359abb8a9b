import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isMailboxProvider } from '../../src/suggest/mailbox-providers'
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

describe('isMailboxProvider', () => {
  for (const domain of [
    ...[
      'gmail.com',
      'googlemail.com',
      'outlook.com',
      'yahoo.co.jp',
      'gmx.de',
      'icloud.com',
      'qq.com',
    ],
    ...['fastmail.com', 'posteo.de', 'mailbox.org', 'mailinator.com', 'x.gmail.com'],
    ...['xn--mllmail-n2a.com'],
  ]) {
    it(`${domain} is one`, () => assert.equal(isMailboxProvider(domain), true))
  }
  for (const domain of [
    'contoso.com',
    'notgmail.com',
    'gmail.com.contoso.com',
    'microsoft.com',
    'com',
  ]) {
    it(`${domain} is none`, () => assert.equal(isMailboxProvider(domain), false))
  }
})
