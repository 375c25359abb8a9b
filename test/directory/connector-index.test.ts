import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectorIndex } from '../../src/directory/connector-index'
import { type RawIdentities, normalizeIdentities } from '../../src/mail/identities'
import type { Connector } from '../../src/mail/tenant'

const HEX = 'ab'.repeat(32)
const PRESENTED = 'AB:'.repeat(32).slice(0, -1)

function connector(
  tenant: string,
  name: string,
  identities: RawIdentities,
  enabled = true,
): Connector {
  return { tenant, name, ...normalizeIdentities(identities), enabled, addedAt: 0, addedBy: 'root' }
}

function indexOf(...connectors: Connector[]): ConnectorIndex {
  const index = new ConnectorIndex()
  for (const each of connectors) index.set(each)
  return index
}

const verified = (...names: string[]) => ({ names, fingerprint256: '00', verified: true })

describe('ConnectorIndex', () => {
  it('knows its connectors by id', () => {
    const a = connector('contoso', 'a', { auth: ['a'] })
    const b = connector('contoso', 'b', { auth: ['b'] })
    const index = indexOf(a, b)
    assert.equal(index.size, 2)
    assert.deepEqual([...index.all()], [a, b])
    assert.equal(index.get('contoso/a'), a)
    index.delete('contoso/a')
    index.delete('contoso/a')
    assert.equal(index.size, 1)
    assert.equal(index.get('contoso/a'), undefined)
    assert.equal(index.byAuth('a'), undefined)
    assert.equal(index.byAuth('b'), b)
  })

  it('finds disabled connectors too', () => {
    const off = connector('contoso', 'off', { ip: ['192.0.2.1'] }, false)
    assert.equal(indexOf(off).byIp('192.0.2.1')?.enabled, false)
  })

  it('replaces a connector and all its identities', () => {
    const index = indexOf(
      connector('contoso', 'mx', {
        auth: ['a'],
        ip: ['192.0.2.0/24'],
        cert: ['mx.contoso.com'],
        certSha256: [HEX],
      }),
    )
    const now = connector('contoso', 'mx', { auth: ['b'], ip: ['198.51.100.0/24'] })
    index.set(now)
    assert.equal(index.size, 1)
    assert.equal(index.byAuth('a'), undefined)
    assert.equal(index.byIp('192.0.2.1'), undefined)
    assert.equal(
      index.byCertificate({ names: ['mx.contoso.com'], fingerprint256: HEX, verified: true }),
      undefined,
    )
    assert.equal(index.byAuth('b'), now)
    assert.equal(index.byIp('198.51.100.1'), now)
  })

  it('lets an identity move on before its former connector goes', () => {
    const all = {
      auth: ['a', '*@a.example'],
      ip: ['192.0.2.0/24'],
      cert: ['*.a.example'],
      certSha256: [HEX],
    }
    const index = indexOf(connector('contoso', 'old', all))
    const now = connector('fabrikam', 'new', all)
    index.set(now)
    index.delete('contoso/old')
    assert.equal(index.byAuth('a'), now)
    assert.equal(index.byAuth('x@a.example'), now)
    assert.equal(index.byIp('192.0.2.1'), now)
    assert.equal(index.byCertificate(verified('mx.a.example')), now)
    assert.equal(index.byCertificate({ names: [], fingerprint256: HEX, verified: false }), now)
  })

  it('finds AUTH users: the exact one before all of the domain', () => {
    const one = connector('contoso', 'one', { auth: ['relay@contoso.com'] })
    const all = connector('contoso', 'all', { auth: ['*@contoso.com'] })
    const idn = connector('contoso', 'idn', { auth: ['*@münchen.example'] })
    const plain = connector('contoso', 'plain', { auth: ['alice'] })
    const index = indexOf(all, one, idn, plain)
    assert.equal(index.byAuth('RELAY@Contoso.com'), one)
    assert.equal(index.byAuth('other@contoso.com'), all)
    assert.equal(index.byAuth('a@b@contoso.com'), all)
    assert.equal(index.byAuth('x@xn--mnchen-3ya.example'), idn)
    assert.equal(index.byAuth('x@MÜNCHEN.example'), idn)
    assert.equal(index.byAuth('Alice'), plain)
    const strangers = [
      'x@mail.contoso.com',
      'x@contoso.com.evil.example',
      'x@evilcontoso.com',
      'contoso.com',
      '@contoso.com',
      'x@contoso。com',
      'alice@evil.example',
      'alice x',
      '',
    ]
    for (const user of strangers) assert.equal(index.byAuth(user), undefined, user)
  })

  it('finds AUTH users by another spelling where it is one of one connector only', () => {
    const ann = connector('contoso', 'ann', { auth: ['ann', 'Jos\u00e9@contoso.com'] })
    const all = connector('contoso', 'all', { auth: ['*@contoso.com'] })
    const blank = connector('fabrikam', 'blank', { auth: ['bob '] })
    const index = indexOf(ann, all, blank)
    for (const user of ['ann ', ' ANN', 'ann\u00a0', '\uff41nn', 'a\u200bnn']) {
      assert.equal(index.byAuth(user), ann, user)
    }
    assert.equal(index.byAuth('jose\u0301@CONTOSO.com '), ann)
    assert.equal(index.byAuth('other@contoso.com '), all)
    assert.equal(index.byAuth('bob'), blank)
    assert.deepEqual(index.alike('bob'), [blank])

    const bob = connector('contoso', 'bob', { auth: ['bob'] })
    index.set(bob)
    assert.equal(index.byAuth('bob'), bob, 'it is exactly his')
    assert.equal(index.byAuth('bob '), blank)
    assert.equal(index.byAuth('Bob\t'), undefined)
    assert.deepEqual(index.alike('Bob\t'), [bob, blank])
    index.delete('contoso/bob')
    assert.equal(index.byAuth('Bob\t'), blank)
    index.set(connector('fabrikam', 'blank', { auth: ['bob ', ' bob'] }))
    assert.equal(index.byAuth('bob')?.name, 'blank', 'both are of one connector')
    index.delete('fabrikam/blank')
    assert.deepEqual(index.alike('bob'), [])
  })

  it('finds certificates: pinned, then exact names in their order, then wildcards', () => {
    const pinned = connector('contoso', 'pinned', { certSha256: [HEX] })
    const a = connector('contoso', 'a', { cert: ['a.contoso.com'] })
    const b = connector('contoso', 'b', { cert: ['b.contoso.com'] })
    const wild = connector('contoso', 'wild', { cert: ['*.contoso.com'] })
    const index = indexOf(wild, a, b, pinned)
    assert.equal(
      index.byCertificate({ names: ['a.contoso.com'], fingerprint256: PRESENTED, verified: true }),
      pinned,
    )
    assert.equal(
      index.byCertificate({ names: [], fingerprint256: PRESENTED, verified: false }),
      pinned,
    )
    assert.equal(index.byCertificate(verified('A.Contoso.com', 'b.contoso.com')), a)
    assert.equal(index.byCertificate(verified('b.contoso.com', 'a.contoso.com')), b)
    assert.equal(index.byCertificate(verified('x.contoso.com', 'b.contoso.com')), b)
    assert.equal(index.byCertificate(verified('x.contoso.com')), wild)
    assert.equal(index.byCertificate(verified('*.contoso.com')), wild)
    assert.equal(index.byCertificate(verified('evil.example', 'x.contoso.com.')), wild)
  })

  it('takes no unverified name, no name of another depth, no half name', () => {
    const index = indexOf(
      connector('contoso', 'wild', { cert: ['*.contoso.com'] }),
      connector('contoso', 'exact', { cert: ['mx.fabrikam.example'] }),
    )
    const strangers = [
      'contoso.com',
      'a.b.contoso.com',
      'xcontoso.com',
      'com',
      '',
      '.contoso.com',
      'a.contoso.com.evil.example',
      '*.fabrikam.example',
      '*',
      '*.com',
      'mx.contoso.com\0.evil.example',
      'mx.contoso。com',
      '*.*.contoso.com',
    ]
    for (const name of strangers) assert.equal(index.byCertificate(verified(name)), undefined, name)
    assert.equal(
      index.byCertificate({ names: ['mx.fabrikam.example'], fingerprint256: '', verified: false }),
      undefined,
    )
    assert.equal(index.byCertificate(verified()), undefined)
  })

  it('finds addresses by the longest prefix', () => {
    const wide = connector('contoso', 'wide', { ip: ['192.0.2.0/24', '2001:db8::/32'] })
    const host = connector('fabrikam', 'host', { ip: ['192.0.2.7'] })
    const index = indexOf(host, wide)
    assert.equal(index.byIp('192.0.2.1'), wide)
    assert.equal(index.byIp('::ffff:192.0.2.7'), host)
    assert.equal(index.byIp('2001:db8::7'), wide)
    assert.equal(index.byIp('unknown'), undefined)
    index.delete('fabrikam/host')
    assert.equal(index.byIp('192.0.2.7'), wide)
  })

  it('holds a hundred thousand connectors, and lets each go', () => {
    const index = new ConnectorIndex()
    const count = 100_000
    const ip = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`
    for (let i = 0; i < count; i++) {
      index.set({
        ...{ tenant: `t${i}`, name: 'mx', enabled: true, addedAt: 0, addedBy: 'root' },
        ...{ ip: [ip(i)], cert: [`*.t${i}.example`], certSha256: [], auth: [`*@t${i}.example`] },
      })
    }
    assert.equal(index.size, count)
    for (const i of [0, 1, 4711, count - 1]) {
      assert.equal(index.byIp(ip(i).slice(0, -3))?.tenant, `t${i}`)
      assert.equal(index.byAuth(`x@t${i}.example`)?.tenant, `t${i}`)
      assert.equal(index.byCertificate(verified(`mx.t${i}.example`))?.tenant, `t${i}`)
    }
    for (let i = 0; i < count; i++) index.delete(`t${i}/mx`)
    assert.equal(index.size, 0)
    assert.equal(index.byIp('10.0.0.0'), undefined)
    assert.equal(index.byAuth('x@t0.example'), undefined)
  })
})
