import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InputError } from '../../src/base/errors'
import { acceptedDomainName } from '../../src/names/accepted'

const PLAIN = { subdomains: false, shared: false }
const SUBDOMAINS = { subdomains: true, shared: false }
const SHARED = { subdomains: false, shared: true }

function refused(input: string, options: typeof PLAIN, message: RegExp): void {
  assert.throws(
    () => acceptedDomainName(input, options),
    (error) => error instanceof InputError && message.test(error.message),
  )
}

describe('acceptedDomainName', () => {
  it('gives lower-case A-labels without a trailing dot', () => {
    assert.equal(acceptedDomainName('Contoso.COM.', SUBDOMAINS), 'contoso.com')
    assert.equal(acceptedDomainName('MÜNCHEN.example', PLAIN), 'xn--mnchen-3ya.example')
    assert.equal(acceptedDomainName('xn--mnchen-3ya.example', PLAIN), 'xn--mnchen-3ya.example')
    assert.equal(acceptedDomainName('mail.contoso.co.uk', SUBDOMAINS), 'mail.contoso.co.uk')
  })

  it('refuses public suffixes, shared or not', () => {
    for (const options of [PLAIN, SUBDOMAINS, SHARED]) {
      refused('com', options, /^com is a public suffix/)
      refused('Co.UK', options, /^co\.uk is a public suffix.*contoso\.co\.uk/)
      refused('公司.cn', options, /^xn--55qx5d\.cn is a public suffix/)
      refused('foo.ck', options, /public suffix/)
    }
    assert.equal(acceptedDomainName('www.ck', PLAIN), 'www.ck')
  })

  it('refuses private public suffixes with subdomains only', () => {
    refused('github.io', SUBDOMAINS, /^github\.io is a public suffix of a company.*--subdomains/)
    refused('github.io', { subdomains: true, shared: true }, /public suffix of a company/)
    assert.equal(acceptedDomainName('github.io', PLAIN), 'github.io')
    assert.equal(acceptedDomainName('contoso.github.io', SUBDOMAINS), 'contoso.github.io')
  })

  it('accepts names outside the public DNS only when shared', () => {
    for (const name of [
      'mailhost',
      'local',
      'nas.local',
      'a.lan',
      'a.internal',
      'a.localdomain',
      'home.arpa',
      'a.home.arpa',
    ]) {
      refused(name, SUBDOMAINS, /outside the public DNS.*--shared/)
      assert.equal(acceptedDomainName(name, SHARED), name)
    }
    assert.equal(acceptedDomainName('notlocal.example', PLAIN), 'notlocal.example')
  })

  it('says why something is not a domain name', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['', /"" is not a domain name: it is empty/],
      ['*.contoso.com', /give contoso\.com with --subdomains/],
      ['.contoso.com', /give contoso\.com with --subdomains/],
      ['*', /wildcard/],
      ['mail.*.contoso.com', /wildcard/],
      ['user@contoso.com', /behind the @/],
      ['@contoso.com', /behind the @/],
      ['192.0.2.1', /IP address/],
      ['192.0.2.0/24', /IP address/],
      ['[192.0.2.1]', /IP address/],
      ['[IPv6:2001:db8::1]', /IP address/],
      ['2001:db8::1', /IP address/],
      ['https://contoso.com/', /host name of the URL/],
      ['contoso.com ', /white space/],
      ['contoso..com', /empty label/],
      [`${'a'.repeat(64)}.com`, /label a+ is 64 octets long/],
      [`${'ü'.repeat(64)}.com`, /octets long, and 63/],
      [`${'a.'.repeat(130)}com`, /263 octets long, and 253/],
      ['contoso。com', /only looks like contoso\.com/],
      ['ｍünchen.example', /only looks like münchen\.example/],
      ['con\u200btoso.com', /only looks like contoso\.com/],
      ['contoso-.com', /letters, digits and inner hyphens/],
      ['contoso.123', /last one is no number/],
      ['contoso.com/x', /letters, digits/],
      ['con\u200dtoso.com', /letters, digits/],
      ['\ud800.com', /letters, digits/],
      ['xn--a.com', /xn--a encodes no valid label/],
      ['xn--mnchen-psa.example', /xn--mnchen-psa encodes no valid label/],
      ['xn--contoso-0.com', /encodes no valid label/],
    ]
    for (const [input, message] of cases) refused(input, PLAIN, message)
  })
})
