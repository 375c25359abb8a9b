import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InputError } from '../../src/base/errors'
import {
  type RawIdentities,
  assertConnectorName,
  assertTenantId,
  connectorId,
  normalizeIdentities,
} from '../../src/mail/identities'

const HEX = '00ffaa'.padEnd(64, '5b')
const COLONS = HEX.toUpperCase().replace(/..(?=.)/g, '$&:')

function refused(raw: RawIdentities, message: RegExp): void {
  assert.throws(
    () => normalizeIdentities(raw),
    (error) => error instanceof InputError && message.test(error.message),
    JSON.stringify(raw),
  )
}

describe('normalizeIdentities', () => {
  it('gives the canonical form, sorted, without doubles', () => {
    assert.deepEqual(
      normalizeIdentities({
        ip: ['2001:DB8::/32', '192.0.2.1', '::ffff:192.0.2.1', '192.0.2.1/32'],
        cert: ['*.Contoso.com', 'MX.contoso.com.', 'mx.münchen.example'],
        certSha256: [COLONS, HEX],
        auth: ['Relay@Contoso.com', 'ALICE', '*@MÜNCHEN.example'],
      }),
      {
        ip: ['192.0.2.1/32', '2001:db8::/32'],
        cert: ['*.contoso.com', 'mx.contoso.com', 'mx.xn--mnchen-3ya.example'],
        certSha256: [HEX],
        auth: ['*@xn--mnchen-3ya.example', 'alice', 'relay@contoso.com'],
      },
    )
  })

  it('leaves alone what it has given', () => {
    const once = normalizeIdentities({
      ip: ['10.0.0.0/8'],
      cert: ['*.a.example'],
      certSha256: [COLONS],
      auth: ['*@A.example', 'B@c@d'],
    })
    assert.deepEqual(normalizeIdentities(once), once)
  })

  it('takes one identity alone, and refuses none', () => {
    assert.deepEqual(normalizeIdentities({ auth: ['alice'] }), {
      ip: [],
      cert: [],
      certSha256: [],
      auth: ['alice'],
    })
    refused({}, /needs an identity/)
    refused({ ip: [], auth: undefined }, /needs an identity/)
  })

  it('takes IP prefixes as parsePrefix does', () => {
    refused({ ip: ['192.0.2.1', '192.0.2.77/24'] }, /write 192\.0\.2\.0\/24/)
    refused({ ip: ['::/0'] }, /holds every address/)
  })

  it('takes certificate names: DNS names, or a star for the first label', () => {
    const { cert } = normalizeIdentities({
      cert: ['mailserver', '*.corp', '*.contoso.github.io', 'a_b.example'],
    })
    assert.deepEqual(cert, ['*.contoso.github.io', '*.corp', 'a_b.example', 'mailserver'])
    for (const name of ['*.com', '*.co.uk', '*.github.io', '*.foo.ck'])
      refused({ cert: [name] }, /public suffix/)
    for (const name of [
      '',
      '*',
      '*.',
      '*.*.contoso.com',
      'mx*.contoso.com',
      'mx.*.contoso.com',
      '*contoso.com',
      '192.0.2.1',
      'a@contoso.com',
      'CN=mx.contoso.com',
      'xn--a.com',
      'mx.contoso。com',
    ]) {
      refused({ cert: [name] }, /is not a domain name/)
    }
  })

  it('takes fingerprints with and without colons', () => {
    for (const hex of [
      '',
      HEX.slice(1),
      `${HEX}0`,
      HEX.replace('5', 'g'),
      `${HEX.slice(0, 2)}:${HEX.slice(2)}`,
      `${COLONS}:`,
      `SHA256:${HEX}`,
      HEX.slice(0, 40),
    ]) {
      refused({ certSha256: [hex] }, /is not a SHA-256 fingerprint.*openssl/)
    }
  })

  it('takes AUTH users, or all of a domain', () => {
    const users = ['CONTOSO\\alice', 'alice smith', 'müller', 'a'.repeat(255)]
    assert.equal(normalizeIdentities({ auth: users }).auth.length, users.length)
    refused({ auth: [''] }, /is empty/)
    refused({ auth: ['a'.repeat(256)] }, /longer than 255 octets/)
    refused({ auth: ['ü'.repeat(128)] }, /longer than 255 octets/)
    for (const user of ['a\0b', 'alice\n', 'a\x7f', 'a\u0085'])
      refused({ auth: [user] }, /control character/)
    for (const user of ['*', '**', 'al*@contoso.com', 'alice@*', '@*'])
      refused({ auth: [user] }, /star stands for all users/)
    for (const user of [
      '*@',
      '*@*',
      '*@*.contoso.com',
      '*@192.0.2.1',
      '*@contoso..com',
      '*@contoso。com',
    ]) {
      refused({ auth: [user] }, /is not a domain name/)
    }
  })
})

describe('ids', () => {
  it('are short and plain', () => {
    for (const check of [assertTenantId, assertConnectorName]) {
      for (const id of ['a', '0', 'contoso', 'contoso-eu_1.test', 'a'.repeat(63)]) check(id)
      for (const id of [
        '',
        'Contoso',
        '-a',
        '.a',
        '_a',
        'a/b',
        'a b',
        'a{b}',
        '@owners',
        'a\n',
        'ä',
        'a'.repeat(64),
      ]) {
        assert.throws(() => check(id), InputError, JSON.stringify(id))
      }
    }
    assert.throws(() => assertTenantId('A'), /"A" is not a tenant id: use at most 63/)
    assert.throws(() => assertConnectorName('A'), /"A" is not a connector name: use at most 63/)
  })

  it('make the id of a connector', () => {
    assert.equal(connectorId('contoso', 'mx'), 'contoso/mx')
  })
})
