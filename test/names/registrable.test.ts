import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  isOutsidePublicDns,
  publicSuffixKind,
  registrableDomain,
} from '../../src/names/registrable'

describe('registrableDomain', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['contoso.com', 'contoso.com'],
    ['a.b.contoso.com', 'contoso.com'],
    ['mail.contoso.co.uk', 'contoso.co.uk'],
    ['mail.contoso.github.io', 'contoso.github.io'],
    ['_bounce.a_b.contoso.com', 'contoso.com'],
    ['mail.xn--mnchen-3ya.xn--55qx5d.cn', 'xn--mnchen-3ya.xn--55qx5d.cn'],
    ['a.b.unknown-tld', 'b.unknown-tld'],
    ['co.uk', undefined],
    ['github.io', undefined],
    ['localhost', undefined],
  ]
  for (const [domain, expected] of cases) {
    it(`${domain} → ${expected}`, () => assert.equal(registrableDomain(domain), expected))
  }
})

describe('publicSuffixKind', () => {
  it('distinguishes registries, companies and the rest', () => {
    assert.equal(publicSuffixKind('com'), 'icann')
    assert.equal(publicSuffixKind('co.uk'), 'icann')
    assert.equal(publicSuffixKind('ck'), 'icann')
    assert.equal(publicSuffixKind('xn--p1ai'), 'icann')
    assert.equal(publicSuffixKind('github.io'), 'private')
    assert.equal(publicSuffixKind('contoso.com'), undefined)
    assert.equal(publicSuffixKind('contoso.github.io'), undefined)
    assert.equal(publicSuffixKind('unknown-tld'), undefined)
  })
})

describe('isOutsidePublicDns', () => {
  it('is true for single labels and private trees', () => {
    for (const name of [
      'mailhost',
      'nas.local',
      'lan',
      'a.b.internal',
      'x.localdomain',
      'home.arpa',
      'a.home.arpa',
    ]) {
      assert.equal(isOutsidePublicDns(name), true, name)
    }
  })

  it('is false for names that can be registered', () => {
    for (const name of [
      'com',
      'contoso.com',
      'local.contoso.com',
      'thelocal.example',
      'lan.co.uk',
      '1.in-addr.arpa',
    ]) {
      assert.equal(isOutsidePublicDns(name), false, name)
    }
  })
})
