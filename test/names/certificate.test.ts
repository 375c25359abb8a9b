import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dnsNamesOf } from '../../src/names/certificate'

describe('dnsNamesOf', () => {
  it('takes the DNS names of the SANs', () => {
    const san = 'DNS:mx.contoso.com, IP Address:192.0.2.1, DNS:*.contoso.com, email:a@contoso.com'
    assert.deepEqual(dnsNamesOf(san, 'cn.contoso.com'), ['mx.contoso.com', '*.contoso.com'])
  })

  it('takes the CN only where there is no SAN', () => {
    assert.deepEqual(dnsNamesOf(undefined, 'cn.contoso.com'), ['cn.contoso.com'])
    assert.deepEqual(dnsNamesOf('', 'cn.contoso.com'), [])
    assert.deepEqual(dnsNamesOf('IP Address:192.0.2.1', 'cn.contoso.com'), [])
    assert.deepEqual(dnsNamesOf(undefined, ['a.contoso.com', 'b.contoso.com']), [
      'a.contoso.com',
      'b.contoso.com',
    ])
    assert.deepEqual(dnsNamesOf(undefined, undefined), [])
  })

  it('takes no name from inside of another', () => {
    const san =
      'DNS:"evil.example, DNS:mx.contoso.com", DirName:"CN = \\", DNS:b.contoso.com", DNS:c.example'
    assert.deepEqual(dnsNamesOf(san, undefined), ['c.example'])
  })
})
