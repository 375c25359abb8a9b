// Attribution: connection → (tenant, connector), by every fact that a session can show.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  CertificateAuthority,
  newAddress,
  startRelay,
  waitFor,
  type Certificate,
  type SessionOptions,
  type SmtpClient,
  type TestRelay,
} from '../support'
import { noteOf, observer, resultsOf } from '../support/observer'
import { connectionIniTrusting } from '../support/proxy'
import { REPLY } from '../support/replies'

// AUTH for every user name with one password, also for names that no ini file could hold.
const auth = `
  exports.register = function () { this.inherits('auth/auth_base') }
  exports.hook_capabilities = function (next, connection) {
    connection.capabilities.push('AUTH PLAIN')
    connection.notes.allowed_auth_methods = ['PLAIN']
    next()
  }
  exports.check_plain_passwd = (connection, user, password, callback) =>
    callback(password === 'secret')`

// The operator's own plugin: a note from the EHLO name; sessions with XCLIENT may relay.
const site = `
  exports.hook_ehlo = function (next, connection, name) {
    const found = /^(.*)[.]note[.]example$/.exec(name)
    if (found) connection.notes.customer = found[1].replace('--', '/')
    next()
  }
  exports.hook_connect = function (next, connection) {
    if (connection.xclient) connection.relaying = true
    next()
  }`

/** Trusted to send PROXY. */
const PROXY = '127.78.0.1'
/** Trusted to send XCLIENT, as 127.0.0.1 is. */
const FRONT = '203.0.113.99'

const ca = new CertificateAuthority('CA of the clients')
const stranger = new CertificateAuthority('Unknown CA')
const server = ca.issue({ commonName: 'relay.example', names: ['relay.example'] })
const pinned = stranger.selfSigned({ commonName: 'pinned.example' })

let relay: TestRelay

before(async () => {
  relay = await startRelay({
    settings: { attribution: { note: 'customer' } },
    plugins: [
      'relay',
      'xclient',
      'auth',
      'site',
      'unregistered-domain',
      observer.name,
      'test_sink',
    ],
    localPlugins: { auth, site, [observer.name]: observer.source },
    config: { 'connection.ini': connectionIniTrusting(PROXY), 'xclient.hosts': `${FRONT}\n` },
    relayFrom: ['127.77.0.0/16', '127.0.0.1/32', '192.0.2.0/24', '203.0.113.0/24', '2001:db8::/32'],
    tls: { key: server.key, cert: server.cert, ca: ca.cert },
    smtps: true,
  })
  const { registry } = relay
  const limits = '100000/1h'
  await relay.tenant('contoso', {
    limits,
    domains: [
      'contoso.example',
      { domain: 'wide.example', subdomains: true },
      { domain: 'agency.example', shared: true },
    ],
    connectors: {
      alice: { auth: ['alice'] },
      users: { auth: ['*@users.example', '*@bücher.example'] },
      boss: { auth: ['boss@users.example'] },
      mx: { cert: ['mx.contoso.example'] },
      wild: { cert: ['*.wild.example'] },
      pinned: { certSha256: [pinned.fingerprint256] },
      net: { ip: ['192.0.2.0/24', '2001:db8:1::/48'] },
    },
  })
  await relay.tenant('fabrikam', {
    limits,
    domains: ['fabrikam.example'],
    connectors: {
      bob: { auth: ['bob'] },
      mx: { cert: ['mx.fabrikam.example'] },
      net: { ip: ['192.0.2.128/25', '2001:db8:1:2::/64'] },
    },
  })
  await registry.connectors.add('fabrikam', 'last', { ip: ['192.0.2.255/32'] }, 'test')
  await relay.attributed({ localAddress: PROXY, proxyFrom: '192.0.2.255' }, 'fabrikam/last')
})

after(() => relay.stop())

let count = 0
const from = (): string => `x@stranger${++count}.example`

/** An address that may relay without a connector. */
const anywhere = (): SessionOptions => ({ localAddress: newAddress() })

const user = (name: string): SessionOptions => ({
  ...anywhere(),
  auth: { user: name, password: 'secret' },
})

const proxied = (address: string): SessionOptions => ({ localAddress: PROXY, proxyFrom: address })

/** `contoso/mx`; `contoso` is the tenant without a connector. */
type Whose = string | null

/** Checks that an unregistered message in this session is marked as this tenant's, and counted only there. */
async function assertIs(client: SmtpClient, whose: Whose): Promise<void> {
  const [tenant, name] = whose?.split('/') ?? []
  const usage = async () => [await relay.used('contoso'), await relay.used('fabrikam')]
  const before = await usage()
  const note = await noteOf(relay.haraka, client, { from: from() })
  const connector = name === undefined ? null : whose
  assert.deepEqual(note, whose && { tenant, connector, class: 'unregistered' })
  const counted = (await usage()).map((used, at) => used - (before[at] ?? 0))
  assert.deepEqual(counted, [Number(tenant === 'contoso'), Number(tenant === 'fabrikam')])
}

async function assertSessionIs(session: SessionOptions, whose: Whose): Promise<void> {
  const client = await relay.haraka.connect(session)
  await assertIs(client, whose)
  await client.quit()
}

/** Waits until an open session is attributed so. */
async function becomes(client: SmtpClient, whose: Whose): Promise<void> {
  const [tenant] = whose?.split('/') ?? []
  const connector = whose?.includes('/') ? whose : undefined
  await waitFor(
    async () => {
      const note = await noteOf(relay.haraka, client, { from: from() })
      return (note?.tenant ?? undefined) === tenant && (note?.connector ?? undefined) === connector
    },
    { what: `the open session is ${whose}'s` },
  )
}

describe('AUTH user', () => {
  const cases: Record<string, Record<string, Whose>> = {
    exact: {
      alice: 'contoso/alice',
      ALICE: 'contoso/alice',
      bob: 'fabrikam/bob',
      'boss@users.example': 'contoso/boss',
    },
    '*@domain': {
      'x@users.example': 'contoso/users',
      'X@Users.Example': 'contoso/users',
      'x@evil.example@users.example': 'contoso/users',
      'x@bücher.example': 'contoso/users',
      'x@xn--bcher-kva.example': 'contoso/users',
    },
    'accepted domain as AUTH domain': {
      'x@contoso.example': 'contoso',
      'x@CONTOSO.example': 'contoso',
      'x@fabrikam.example': 'fabrikam',
      'x@wide.example': 'contoso',
      'x@a.b.wide.example': 'contoso',
    },
    'look-alikes of an exact user': {
      alice2: null,
      alic: null,
      'alice@': null,
      '@alice': null,
      'alice@nobody.example': null,
      аlice: null,
      'alice/contoso': null,
      'contoso/alice': null,
    },
    'look-alikes of *@domain': {
      '@users.example': null,
      'users.example': null,
      'x@sub.users.example': null,
      'x@evilusers.example': null,
      'x@users.example.evil.example': null,
      'x@users.example@evil.example': null,
      'x@usеrs.example': null,
      'x@bucher.example': null,
    },
    'look-alikes of an accepted domain': {
      'contoso.example': null,
      '@contoso.example': null,
      'x@sub.contoso.example': null,
      'x@evilcontoso.example': null,
      'x@contoso.example.evil.example': null,
      'x@contoso.example@evil.example': null,
      'x@evilwide.example': null,
      'x@example': null,
      'x@agency.example': null,
    },
  }
  for (const [name, users] of Object.entries(cases)) {
    it(name, async () => {
      for (const [each, whose] of Object.entries(users)) {
        await assertSessionIs(user(each), whose).catch((error: unknown) => {
          throw new Error(`AUTH as ${each}`, { cause: error })
        })
      }
    })
  }
})

describe('certificate', () => {
  const cases: [string, () => Certificate | undefined, Whose][] = [
    ['a SAN', () => ca.issue({ names: ['mx.contoso.example'] }), 'contoso/mx'],
    [
      'the second SAN, in capitals',
      () => ca.issue({ names: ['other.example', 'MX.Contoso.Example'] }),
      'contoso/mx',
    ],
    ['the CN without a SAN', () => ca.issue({ commonName: 'mx.contoso.example' }), 'contoso/mx'],
    ['one label under a wildcard', () => ca.issue({ names: ['a.wild.example'] }), 'contoso/wild'],
    ['two labels under a wildcard', () => ca.issue({ names: ['a.b.wild.example'] }), null],
    ['the wildcard’s own domain', () => ca.issue({ names: ['wild.example'] }), null],
    [
      'a wildcard in the certificate for one name',
      () => ca.issue({ names: ['*.contoso.example'] }),
      null,
    ],
    [
      'the right CN with a SAN of another name',
      () => ca.issue({ commonName: 'mx.contoso.example', names: ['other.example'] }),
      null,
    ],
    ['another name', () => ca.issue({ names: ['mx.contoso.example.evil.example'] }), null],
    [
      'the right SAN of an unknown CA',
      () => stranger.issue({ names: ['mx.contoso.example'] }),
      null,
    ],
    ['the right SAN, self-signed', () => ca.selfSigned({ names: ['mx.contoso.example'] }), null],
    ['none', () => undefined, null],
    ['a pinned one, self-signed', () => pinned, 'contoso/pinned'],
    [
      'another one with all names of the pinned one',
      () => stranger.selfSigned({ commonName: 'pinned.example' }),
      null,
    ],
  ]
  for (const [name, make, whose] of cases) {
    it(`${name}: ${whose ?? 'no tenant'}`, async () => {
      const { key, cert } = make() ?? {}
      const options = key !== undefined && cert !== undefined ? { key, cert } : {}
      await assertSessionIs({ ...anywhere(), starttls: options }, whose)
      await assertSessionIs({ ...anywhere(), tls: options }, whose)
    })
  }

  it('counts without SNI too', async () => {
    const { key, cert } = ca.issue({ names: ['mx.contoso.example'] })
    for (const way of ['starttls', 'tls']) {
      const session = { ...anywhere(), [way]: { key, cert, servername: '' } }
      await assertSessionIs(session, 'contoso/mx')
    }
  })

  const shown: [string, Certificate | undefined, Whose][] = [
    ['verified', ca.issue({ names: ['mx.contoso.example'] }), 'contoso/mx'],
    ['of an unknown CA', stranger.issue({ names: ['mx.contoso.example'] }), null],
    ['pinned', pinned, 'contoso/pinned'],
    ['none', undefined, null],
  ]
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const [way, name] of [
      ['starttls', 'STARTTLS'],
      ['tls', 'the SMTPS port'],
    ] as const) {
      it(`${version} by ${name}, at first and in a session that offers its ticket`, async () => {
        for (const [, certificate, whose] of shown) {
          const { key, cert } = certificate ?? {}
          const options = {
            ...(key !== undefined && cert !== undefined ? { key, cert } : {}),
            minVersion: version,
            maxVersion: version,
          }
          const first = await relay.haraka.connect({ ...anywhere(), [way]: options })
          await assertIs(first, whose)
          const session = await first.tlsSession()
          await first.quit()
          const second = await relay.haraka.connect({
            ...anywhere(),
            [way]: { ...options, session },
          })
          // After STARTTLS Haraka has new ticket keys for every connection (tls_socket.js), and resumes none.
          if (way === 'tls') assert.equal(second.resumed, true)
          await assertIs(second, whose)
          await second.quit()
        }
      })
    }
  }
})

describe('remote address', () => {
  it('by PROXY: the longest prefix, IPv4 and IPv6', async () => {
    await assertSessionIs(proxied('192.0.2.1'), 'contoso/net')
    await assertSessionIs(proxied('192.0.2.127'), 'contoso/net')
    await assertSessionIs(proxied('192.0.2.128'), 'fabrikam/net')
    await assertSessionIs(proxied('192.0.2.255'), 'fabrikam/last')
    await assertSessionIs(proxied('2001:db8:1::7'), 'contoso/net')
    await assertSessionIs(proxied('2001:db8:1:2::7'), 'fabrikam/net')
    await assertSessionIs(proxied('2001:db8:2::7'), null)
    await assertSessionIs(proxied('203.0.113.7'), null)
  })

  it('by PROXY before TLS on the SMTPS port: the certificate is the client’s own', async () => {
    const { key, cert } = ca.issue({ names: ['mx.contoso.example'] })
    await assertSessionIs({ ...proxied('192.0.2.200'), tls: { key, cert } }, 'contoso/mx')
    await assertSessionIs({ ...proxied('192.0.2.200'), tls: {} }, 'fabrikam/net')
  })

  it('by XCLIENT, also as IPv4-mapped IPv6', async () => {
    for (const [ADDR, whose] of [
      ['192.0.2.1', 'contoso/net'],
      ['IPV6:2001:db8:1:2::7', 'fabrikam/net'],
      ['IPV6:::ffff:192.0.2.200', 'fabrikam/net'],
      ['203.0.113.7', null],
    ] as const) {
      const client = await relay.haraka.connect()
      await assertIs(client, null)
      assert.equal((await client.xclient({ ADDR, NAME: 'client.example' })).code, 220)
      await client.ehlo()
      await assertIs(client, whose)
      await client.quit()
    }
  })

  it('is recorded with a trip', async () => {
    const tenant = await relay.tenant('northwind', {
      limits: '1/1h',
      connectors: { mx: { ip: ['203.0.113.50/32'] } },
    })
    await relay.attributed(proxied('203.0.113.50'), 'northwind/mx')
    const client = await relay.haraka.connect(proxied('203.0.113.50'))
    const sender = from()
    await client.mail(sender)
    assert.equal((await client.rcpt('a@far.example')).code, 250)
    assert.equal((await client.rcpt('b@far.example')).raw, REPLY.blocked)
    await client.quit()
    const { trigger } = (await tenant.restriction()) ?? {}
    assert.deepEqual(
      [trigger?.connector, trigger?.ip, trigger?.domain],
      ['northwind/mx', '203.0.113.50', sender.split('@')[1]],
    )
    await relay.haraka.waitForLog(
      /\[WARN\].* tripped tenant=northwind connector=northwind\/mx .*ip=203\.0\.113\.50 used=1 limit=1 window=1h/,
    )
    const results = await resultsOf(relay.haraka, sender)
    assert.deepEqual(results, {
      ...results,
      pass: ['allowance'],
      fail: ['tripped'],
      tenant: 'northwind',
      connector: 'northwind/mx',
      domain: sender.split('@')[1],
    })
  })
})

describe('which fact counts', () => {
  const contosoMx = ca.issue({ names: ['mx.contoso.example'] })
  const starttls = { key: contosoMx.key, cert: contosoMx.cert }

  it('never one that the client can choose: EHLO and MAIL', async () => {
    for (const helo of ['mx.contoso.example', 'contoso', 'alice', '[192.0.2.1]']) {
      const client = await relay.haraka.connect({ ...anywhere(), helo })
      const note = await noteOf(relay.haraka, client, { from: 'alice@contoso.example' })
      assert.equal(note, null)
      await client.quit()
    }
  })

  it('an AUTH user in another spelling that its backend accepts', async () => {
    for (const name of ['alice ', ' Alice', 'alice\u00a0', '\uff41lice', 'boss@users.example\t']) {
      await assertSessionIs(user(name), name.includes('boss') ? 'contoso/boss' : 'contoso/alice')
    }
    await assertSessionIs(user('x@users.example '), 'contoso/users')
    await assertSessionIs(user('x@FABRIKAM.example\u00a0'), 'fabrikam')
  })

  it('neither of two AUTH users of two tenants that differ only in spelling: 451, until one is removed', async () => {
    await relay.registry.connectors.add('contoso', 'twin', { auth: ['bob '] }, 'test')
    const client = await relay.haraka.connect(user('bob '))
    await becomes(client, 'contoso/twin')
    await client.quit()
    await assertSessionIs(user('bob'), 'fabrikam/bob')
    const third = await relay.haraka.connect(user('Bob\u00a0'))
    const sender = from()
    assert.equal((await third.mail(sender)).raw, REPLY.undecidable)
    await third.rset()
    assert.deepEqual((await resultsOf(relay.haraka, sender))?.err, ['user-ambiguous'])
    await relay.registry.connectors.remove('contoso', 'twin')
    await becomes(third, 'fabrikam/bob')
    await third.quit()
  })

  it('the note of the operator’s own plugin: tenant, or tenant and connector', async () => {
    const noted = (helo: string): SessionOptions => ({
      ...anywhere(),
      helo: `${helo}.note.example`,
    })
    await assertSessionIs(noted('contoso'), 'contoso')
    await assertSessionIs(noted('fabrikam--net'), 'fabrikam/net')
  })

  it('the first in this order: AUTH, certificate, address, AUTH domain, note', async () => {
    const all = { ...proxied('192.0.2.200'), helo: 'fabrikam.note.example' }
    const as = (name: string) => ({ auth: { user: name, password: 'secret' } })
    await assertSessionIs({ ...all, starttls, ...as('bob') }, 'fabrikam/bob')
    await assertSessionIs({ ...all, starttls, ...as('x@fabrikam.example') }, 'contoso/mx')
    await assertSessionIs({ ...all, ...as('x@contoso.example') }, 'fabrikam/net')
    const noAddress = { ...anywhere(), helo: all.helo }
    await assertSessionIs({ ...noAddress, ...as('x@contoso.example') }, 'contoso')
    await assertSessionIs({ ...noAddress, ...as('x@nobody.example') }, 'fabrikam')
  })
})

describe('AUTH in the open session', () => {
  /** An address that does not relay, and that no connector has. */
  const outside = (): SessionOptions => ({
    localAddress: newAddress().replace('127.77.', '127.79.'),
  })

  it('between MAIL and RCPT: the recipients count for the user’s tenant', async () => {
    const client = await relay.haraka.connect(outside())
    const used = await relay.used('contoso')
    const sender = from()
    await client.mail(sender)
    assert.equal(
      (await client.rcpt('a@far.example')).raw,
      '550 I cannot deliver mail for <a@far.example>\r\n',
    )
    assert.equal((await client.authPlain('alice', 'secret')).code, 235)
    assert.equal((await client.rcpt('a@far.example')).code, 250)
    assert.equal(await relay.used('contoso'), used + 1)
    await client.data()
    assert.equal((await client.message()).code, 250)
    const { note } = await relay.haraka.sink.waitFor(({ mailFrom }) => mailFrom === sender)
    assert.deepEqual(note, { tenant: 'contoso', connector: 'contoso/alice', class: 'unregistered' })
    await client.quit()
  })

  it('between MAIL and RCPT, as a user of a restricted tenant: refused', async () => {
    const tenant = await relay.tenant('tailspin', { connectors: { carol: { auth: ['carol'] } } })
    await relay.restrictions.place(tenant.id, { scope: 'unregistered', by: 'test', reason: 'test' })
    const client = await relay.haraka.connect(outside())
    const sender = from()
    assert.equal((await client.mail(sender)).code, 250)
    assert.equal((await client.authPlain('carol', 'secret')).code, 235)
    assert.equal((await client.rcpt('a@far.example')).raw, REPLY.blocked)
    await client.rset()
    assert.deepEqual((await resultsOf(relay.haraka, sender))?.fail, ['restricted'])
    // Registered mail passes.
    await client.authPlain('carol', 'secret')
    await client.mail('x@tailspin.example')
    assert.equal((await client.rcpt('a@far.example')).code, 250)
    await client.quit()
  })

  it('between MAIL and RCPT, as a user of another tenant: the sender is classified again', async () => {
    const client = await relay.haraka.connect(proxied('192.0.2.1'))
    const used = await relay.used('fabrikam')
    await client.mail('x@contoso.example')
    assert.equal((await client.rcpt('a@far.example')).code, 250)
    assert.equal(await relay.used('fabrikam'), used)
    await client.authPlain('bob', 'secret')
    assert.equal((await client.rcpt('b@far.example')).code, 250)
    assert.equal(await relay.used('fabrikam'), used + 1)
    await client.data()
    await client.message()
    assert.equal(await relay.used('fabrikam'), used + 1)
    await assertIs(client, 'fabrikam/bob')
    await client.quit()
  })

  it('again, as another user: the last one counts', async () => {
    const client = await relay.haraka.connect(user('alice'))
    await assertIs(client, 'contoso/alice')
    await client.authPlain('bob', 'secret')
    await assertIs(client, 'fabrikam/bob')
    await client.authPlain('nobody', 'secret')
    await assertIs(client, null)
    await client.quit()
  })
})

describe('XCLIENT to another address', () => {
  /** The plugin xclient trusts 127.0.0.1. */
  async function moveTo(client: SmtpClient, ADDR: string, more = {}): Promise<void> {
    assert.equal((await client.xclient({ ADDR, NAME: 'client.example', ...more })).code, 220)
    await client.ehlo()
  }

  it('after AUTH: the earlier user no longer counts, until it logs in again', async () => {
    for (const name of ['alice', 'x@users.example', 'x@contoso.example']) {
      for (const [address, whose] of [
        ['192.0.2.200', 'fabrikam/net'],
        ['203.0.113.7', null],
      ] as const) {
        const client = await relay.haraka.connect({ auth: { user: name, password: 'secret' } })
        await noteOf(relay.haraka, client)
        await moveTo(client, address)
        await assertIs(client, whose)
        await client.authPlain('alice', 'secret')
        await assertIs(client, 'contoso/alice')
        await client.quit()
      }
    }
  })

  it('after AUTH and no mail yet', async () => {
    const client = await relay.haraka.connect({ auth: { user: 'alice', password: 'secret' } })
    await moveTo(client, '203.0.113.7')
    await assertIs(client, null)
    await client.quit()
  })

  it('a second time, and back', async () => {
    const client = await relay.haraka.connect({ auth: { user: 'alice', password: 'secret' } })
    await moveTo(client, FRONT)
    await assertIs(client, null)
    await moveTo(client, '127.0.0.1')
    await assertIs(client, null)
    await client.authPlain('bob', 'secret')
    await assertIs(client, 'fabrikam/bob')
    await moveTo(client, '192.0.2.1')
    await assertIs(client, 'contoso/net')
    await client.quit()
  })

  it('after STARTTLS: the certificate is the front’s, not the client’s', async () => {
    for (const { key, cert } of [ca.issue({ names: ['mx.contoso.example'] }), pinned]) {
      const client = await relay.haraka.connect({ starttls: { key, cert } })
      await moveTo(client, '203.0.113.7')
      await assertIs(client, null)
      await client.quit()
    }
  })

  it('with LOGIN: the unproven name does not count', async () => {
    const client = await relay.haraka.connect()
    await moveTo(client, '203.0.113.7', { LOGIN: 'alice' })
    await assertIs(client, null)
    await client.quit()
  })
})

describe('changes while the session is open', () => {
  it('a connector is removed, and another tenant gets its identity', async () => {
    const session = anywhere()
    const identity = { ip: [`${session.localAddress}/32`] }
    const { registry } = relay
    await registry.connectors.add('contoso', 'moving', identity, 'test')
    await relay.attributed(session, 'contoso/moving')
    const client = await relay.haraka.connect(session)
    await assertIs(client, 'contoso/moving')

    await registry.connectors.remove('contoso', 'moving')
    await becomes(client, null)
    await assertIs(client, null)

    await registry.connectors.add('fabrikam', 'moved', identity, 'test')
    await becomes(client, 'fabrikam/moved')
    await assertIs(client, 'fabrikam/moved')
    await client.quit()
  })

  it('a connector is removed: the next fact of the session counts', async () => {
    const { key, cert } = ca.issue({ names: ['leaving.example'] })
    const { registry } = relay
    await registry.connectors.add('fabrikam', 'leaving', { cert: ['leaving.example'] }, 'test')
    const session = { ...proxied('192.0.2.1'), starttls: { key, cert } }
    await relay.attributed(session, 'fabrikam/leaving')
    const client = await relay.haraka.connect(session)
    await assertIs(client, 'fabrikam/leaving')
    await registry.connectors.remove('fabrikam', 'leaving')
    await becomes(client, 'contoso/net')
    await client.quit()
  })

  it('a connector is removed between two recipients: the open transaction is no longer counted', async () => {
    const tenant = await relay.tenant('litware')
    const client = await tenant.connect()
    const watcher = await tenant.connect()
    await client.mail(from())
    await client.rcpt('a@far.example')
    assert.equal(await tenant.used(), 1)
    await relay.registry.connectors.remove('litware', 'mx')
    await becomes(watcher, null)
    const used = await tenant.used()
    assert.equal((await client.rcpt('b@far.example')).code, 250)
    assert.equal(await tenant.used(), used)
    await client.quit()
    await watcher.quit()
  })

  it('a domain is moved: its AUTH users belong to the new owner', async () => {
    const { registry } = relay
    const moving = { domain: 'auth.moving.example', subdomains: false, shared: false }
    await registry.domains.add('contoso', [moving], 'test')
    const client = await relay.haraka.connect(user('x@auth.moving.example'))
    await assertIs(client, 'contoso')
    await registry.domains.move('auth.moving.example', 'fabrikam', 'test')
    await becomes(client, 'fabrikam')
    await assertIs(client, 'fabrikam')
    await registry.domains.remove('fabrikam', ['auth.moving.example'])
    await becomes(client, null)
    await registry.domains.add('contoso', [moving], 'test')
    await becomes(client, 'contoso')
    await client.quit()
  })

  it('a domain is moved between MAIL and RCPT: it is registered for the new owner only', async () => {
    const old = await relay.tenant('oldowner', { limits: '0/1h' })
    const next = await relay.tenant('newowner', { limits: '0/1h' })
    const moving = { domain: 'sender.moving.example', subdomains: true, shared: false }
    await relay.registry.domains.add(old.id, [moving], 'test')
    const sender = 'x@mail.sender.moving.example'
    const passes = async (client: SmtpClient): Promise<boolean> => {
      const { delivered, rcpts } = await client.send({ from: sender, to: 'probe@far.example' })
      if (!delivered) assert.equal(rcpts[0]?.raw, REPLY.blocked)
      return delivered
    }
    const [oldClient, oldWatcher, newClient, newWatcher] = [
      await old.connect(),
      await old.connect(),
      await next.connect(),
      await next.connect(),
    ]
    await waitFor(() => passes(oldWatcher))
    assert.equal(await passes(newWatcher), false)
    await oldClient.mail(sender)
    await newClient.mail(sender)
    assert.equal((await oldClient.rcpt('a@far.example')).code, 250)
    assert.equal((await newClient.rcpt('a@far.example')).raw, REPLY.blocked)

    await relay.registry.domains.move('sender.moving.example', next.id, 'test')
    await waitFor(async () => !(await passes(oldWatcher)))
    await waitFor(() => passes(newWatcher))
    assert.equal((await oldClient.rcpt('b@far.example')).raw, REPLY.blocked)
    assert.equal((await newClient.rcpt('b@far.example')).code, 250)
    for (const client of [oldClient, oldWatcher, newClient, newWatcher]) await client.quit()
  })
})
