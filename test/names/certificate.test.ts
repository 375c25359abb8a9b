import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dnsNamesOf } from '../../src/names/certificate'

describe('dnsNamesOf', () => {
  it('uses the DNS names of the SANs', () => {
    const san = 'DNS:mx.contoso.com, IP Address:192.0.2.1, DNS:*.contoso.com, email:a@contoso.com'
    assert.deepEqual(dnsNamesOf(san, 'cn.contoso.com'), ['mx.contoso.com', '*.contoso.com'])
  })

  it('uses the CN only without a SAN', () => {
    assert.deepEqual(dnsNamesOf(undefined, 'cn.contoso.com'), ['cn.contoso.com'])
    assert.deepEqual(dnsNamesOf('', 'cn.contoso.com'), [])
    assert.deepEqual(dnsNamesOf('IP Address:192.0.2.1', 'cn.contoso.com'), [])
    assert.deepEqual(dnsNamesOf(undefined, ['a.contoso.com', 'b.contoso.com']), [
      'a.contoso.com',
      'b.contoso.com',
    ])
    assert.deepEqual(dnsNamesOf(undefined, undefined), [])
  })

  it('finds no name inside another', () => {
    const san =
      'DNS:"evil.example, DNS:mx.contoso.com", DirName:"CN = \\", DNS:b.contoso.com", DNS:c.example'
    assert.deepEqual(dnsNamesOf(san, undefined), ['c.example'])
  })
})
