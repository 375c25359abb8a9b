// Which mail is counted on which meter, which is not handled, and the replies to each.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  CertificateAuthority,
  formatMessage,
  newAddress,
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type Mail,
  type SessionOptions,
  type SmtpClient,
  type StartHarakaOptions,
  type TenantOptions,
  type TestHaraka,
  type TestTenant,
} from '../support'
import { noteOf, observer, resultsOf } from '../support/observer'
import { REPLY } from '../support/replies'

// A site's own rules: relaying is granted for one transaction, and here.example is a local domain.
const site = `
  exports.register = function () {
    this.register_hook('mail', 'before_mail', -90)
    this.register_hook('rcpt', 'before_rcpt', -90)
    this.register_hook('rcpt', 'after_rcpt', 90)
  }
  exports.before_mail = function (next, connection, [sender]) {
    if (sender.user === 'relay-from-mail') connection.relaying = true
    next()
  }
  exports.before_rcpt = function (next, connection, [recipient]) {
    if (recipient.user === 'relay-from-rcpt') connection.relaying = true
    next()
  }
  exports.after_rcpt = function (next, connection, [recipient]) {
    if (recipient.user === 'relay-at-last') {
      connection.relaying = true
      return next(OK)
    }
    if (recipient.host === 'here.example') return next(OK)
    next()
  }`

const ca = new CertificateAuthority('CA of the clients')
const server = ca.issue({ commonName: 'relay.example', names: ['relay.example'] })
const mxCertificate = ca.issue({ names: ['mx.granted.example'] })

let relay: TestRelay
/** refuse_at=mail, unknown=ignore: the defaults */
let atMail: TestHaraka
/** refuse_at=rcpt, unknown=deny */
let atRcpt: TestHaraka
/** grant_relay=true, and no address may relay otherwise */
let granting: TestHaraka
/** override=monitor, unknown=deny */
let overridden: TestHaraka
/** override=off, unknown=deny; it attributes nothing, so it is not a host of the relay */
let off: TestHaraka

before(async () => {
  const redis = await startRedis()
  const start = (settings: NonNullable<StartHarakaOptions['settings']>, more = {}) =>
    startHaraka({
      redis,
      settings,
      plugins: ['relay', 'xclient', 'site', 'unregistered-domain', observer.name, 'test_sink'],
      localPlugins: { site, [observer.name]: observer.source },
      users: { alice: 'secret' },
      // newAddress() gives these; others do not relay.
      relayFrom: ['127.77.0.0/16'],
      ...more,
    })
  ;[atMail, atRcpt, granting, overridden, off] = await Promise.all([
    start({}),
    start({ main: { refuse_at: 'rcpt' }, attribution: { unknown: 'deny' } }),
    start(
      { attribution: { grant_relay: true } },
      { relayFrom: [], tls: { key: server.key, cert: server.cert, ca: ca.cert } },
    ),
    start({ main: { override: 'monitor' }, attribution: { unknown: 'deny' } }),
    start({ main: { override: 'off' }, attribution: { unknown: 'deny' } }),
  ])
  relay = new TestRelay(redis, [atMail, atRcpt, granting, overridden])
})

after(async () => {
  await off.stop()
  await relay.stop()
})

let count = 0
const newTenant = (options?: TenantOptions): Promise<TestTenant> =>
  relay.tenant(`tenant${++count}`, options)

/** A sender that no other test uses, of an unregistered domain. */
const stranger = (user = 's'): string => `${user}@stranger${++count}.example`

/** An address that may not relay; the tenant's connector `inbound` recognises it. */
async function inbound({ id }: TestTenant): Promise<SessionOptions> {
  const localAddress = newAddress().replace('127.77.', '127.78.')
  await relay.registry.connectors.add(id, 'inbound', { ip: [`${localAddress}/32`] }, 'test')
  // A session that does not relay cannot show its connector, so a connector added after it is awaited instead.
  await relay.connector(id, 'marker')
  return { localAddress }
}

/** Blocks a tenant by hand, and waits until this host refuses this mail because of it. */
async function block(
  tenant: TestTenant,
  { scope = 'unregistered', on = atMail }: { scope?: 'unregistered' | 'all'; on?: TestHaraka } = {},
): Promise<void> {
  await relay.restrictions.place(tenant.id, { scope, by: 'test', reason: 'test' })
  const from = scope === 'all' ? `x@${tenant.domain}` : stranger()
  const refused = scope === 'all' ? REPLY.blockedAll : REPLY.blocked
  await waitFor(
    async () => (await tenant.send({ from, to: 'a@far.example' }, { on })).last.raw === refused,
  )
}

async function usedBoth(tenant: TestTenant): Promise<{ unregistered: number; null: number }> {
  return { unregistered: await tenant.used(), null: await tenant.used('null') }
}

function delivered(host: TestHaraka, from: string) {
  return host.sink.messages().filter(({ mailFrom }) => mailFrom === from)
}

const raws = (replies: { raw: string }[]): string[] => replies.map(({ raw }) => raw)
const accepted = (to: string): string => `250 recipient <${to}> OK\r\n`
const noRelay = (to: string): string => `550 I cannot deliver mail for <${to}>\r\n`

describe('null sender', () => {
  it('has its own meter: past it 451 at RCPT, never at MAIL, and no restriction', async () => {
    const tenant = await newTenant({ limits: '1/1h', nullLimits: '2/1h' })
    for (const on of [atMail, atRcpt]) {
      const sent = await tenant.send(
        { from: '', to: ['a@far.example', 'b@far.example', 'c@far.example'], subject: tenant.id },
        { on },
      )
      assert.equal(sent.mail.raw, '250 sender <> OK\r\n')
      assert.equal(sent.rcpts.at(-1)?.raw, REPLY.nullSenderFull)
    }
    assert.deepEqual(await usedBoth(tenant), { unregistered: 0, null: 2 })
    assert.equal(await tenant.restriction(), undefined)

    const [message, ...others] = atMail.sink.messages().filter((m) => m.subject === tenant.id)
    assert.deepEqual(others, [])
    assert.deepEqual(message?.rcptTo, ['a@far.example', 'b@far.example'])
    const note = { tenant: tenant.id, connector: `${tenant.id}/mx`, class: 'null' }
    assert.deepEqual(message?.note, note)

    const other = await tenant.send({ from: stranger(), to: 'a@far.example' })
    assert.equal(other.delivered, true)
  })

  it('is not counted to own domains, and leaves its results', async () => {
    const tenant = await newTenant({ nullLimits: '0/1h' })
    const client = await tenant.connect()
    await client.mail('')
    assert.equal((await client.rcpt(`a@${tenant.domain}`)).raw, accepted(`a@${tenant.domain}`))
    assert.equal((await client.rcpt('a@far.example')).raw, REPLY.nullSenderFull)
    await client.rset()
    const results = await resultsOf(atMail, '', tenant.id)
    assert.deepEqual(results?.fail, ['deferred'])
    assert.equal(results?.connector, `${tenant.id}/mx`)
    assert.equal(results?.domain, undefined)
    await client.quit()
  })

  it('passes despite a restriction, and counts', async () => {
    const tenant = await newTenant()
    await block(tenant)
    for (const on of [atMail, atRcpt]) {
      const sent = await tenant.send({ from: '', to: 'a@far.example' }, { on })
      assert.equal(sent.delivered, true, String(sent.last))
    }
    assert.deepEqual(await usedBoth(tenant), { unregistered: 0, null: 2 })
  })

  it('gets one recipient a transaction while the tenant is restricted, not counting own ones', async () => {
    const tenant = await newTenant()
    for (const on of [atMail, atRcpt]) await block(tenant, { on })
    const own = [1, 2, 3].map((at) => `own${at}@${tenant.domain}`)
    for (const on of [atMail, atRcpt]) {
      const client = await tenant.connect({ on })
      await client.mail('')
      const to = [own[0]!, 'a@far.example', own[1]!, 'b@far.example', 'c@far.example', own[2]!]
      const replies = []
      for (const recipient of to) replies.push(await client.rcpt(recipient))
      const expected = [1, 2, 3, 0, 0, 6].map((place, at) =>
        place === 0 ? REPLY.oneRecipient : accepted(to[at]!),
      )
      assert.deepEqual(raws(replies), expected)
      assert.equal((await client.data()).code, 354)
      const text = formatMessage({ from: '', to: 'a@far.example', subject: tenant.id })
      assert.equal((await client.message(text)).code, 250)
      await client.quit()
      const [message] = on.sink.messages().filter(({ subject }) => subject === tenant.id)
      assert.deepEqual(message?.rcptTo, [own[0], 'a@far.example', own[1], own[2]])
    }
    assert.deepEqual(await usedBoth(tenant), { unregistered: 0, null: 2 })
  })

  it('gets one in each transaction of a session, and leaves its results', async () => {
    const tenant = await newTenant({ nullLimits: '20/1h' })
    await block(tenant)
    const client = await tenant.connect()
    for (let transaction = 0; transaction < 2; transaction++) {
      await client.mail('')
      assert.equal((await client.rcpt('a@far.example')).raw, accepted('a@far.example'))
      assert.equal((await client.rcpt('b@far.example')).raw, REPLY.oneRecipient)
      await client.rset()
    }
    await client.quit()
    assert.deepEqual((await resultsOf(atMail, '', tenant.id))?.fail, ['deferred'])
  })

  it('has a tenth of its allowance while the tenant is restricted, and a 451 past it', async () => {
    const tenant = await newTenant({ nullLimits: '20/1h' })
    await block(tenant)
    const replies = []
    for (let at = 0; at < 3; at++) {
      replies.push((await tenant.send({ from: '', to: 'a@far.example' })).last)
    }
    assert.deepEqual(
      replies.map(({ code }) => code),
      [250, 250, 451],
    )
    assert.equal(replies[2]!.raw, REPLY.nullSenderFull)
    assert.deepEqual(await usedBoth(tenant), { unregistered: 0, null: 2 })
  })

  it('may send to a group while no restriction is in effect', async () => {
    const tenant = await newTenant({ nullLimits: '20/1h' })
    const to = ['a@far.example', 'b@far.example', 'c@far.example']
    const ofGroup = { from: '', to, subject: tenant.id }
    assert.deepEqual((await tenant.send(ofGroup)).accepted, to)
    await block(tenant)
    assert.deepEqual((await tenant.send(ofGroup, { on: overridden })).accepted, to)
    // Other mail is not limited to one recipient.
    const registered = { from: `ann@${tenant.domain}`, to, subject: tenant.id }
    assert.deepEqual((await tenant.send(registered)).accepted, to)
    assert.deepEqual(await usedBoth(tenant), { unregistered: 0, null: 6 })
  })
})

describe('own domain as recipient', () => {
  it('is not relay: never counted', async () => {
    const wide = `wide${++count}.example`
    const tenant = await newTenant({
      limits: '1/1h',
      domains: [`own${count}.example`, { domain: wide, subdomains: true }],
    })
    const from = stranger()
    const own = [`a@${tenant.domain}`, `B@${tenant.domain.toUpperCase()}`, `c@deep.below.${wide}`]
    const sent = await tenant.send({ from, to: [...own, 'x@far.example'] })
    assert.deepEqual(
      sent.rcpts.map(({ code }) => code),
      [250, 250, 250, 250],
    )
    assert.equal(await tenant.used(), 1)
    // A name below a domain registered without subdomains is not the tenant's own.
    const below = await tenant.send({ from, to: `a@below.${tenant.domain}` })
    assert.equal(below.last.raw, REPLY.blocked)
  })

  it('is refused at MAIL of a restricted tenant (refuse_at=mail)', async () => {
    const tenant = await newTenant()
    await block(tenant)
    const sent = await tenant.send({ from: stranger(), to: `a@${tenant.domain}` })
    assert.equal(sent.mail.raw, REPLY.blocked)
  })

  it('passes while the tenant is restricted (refuse_at=rcpt), other recipients do not', async () => {
    const tenant = await newTenant()
    await relay.restrictions.place(tenant.id, { scope: 'unregistered', by: 'test', reason: 'test' })
    const from = stranger()
    const to = [`a@${tenant.domain}`, 'b@far.example', `c@${tenant.domain}`]
    const sent = await tenant.send({ from, to }, { on: atRcpt })
    assert.deepEqual(raws([sent.mail, ...sent.rcpts]), [
      `250 sender <${from}> OK\r\n`,
      accepted(`a@${tenant.domain}`),
      REPLY.blocked,
      accepted(`c@${tenant.domain}`),
    ])
    assert.equal(sent.delivered, true)
    assert.deepEqual(
      delivered(atRcpt, from).map((message) => message.rcptTo),
      [[`a@${tenant.domain}`, `c@${tenant.domain}`]],
    )
    assert.equal(await tenant.used(), 0)
    const results = await resultsOf(atRcpt, from)
    assert.deepEqual(results?.fail, ['restricted'])
  })
})

describe('non-relaying session', () => {
  it('is not handled: local mail passes, even of a restricted tenant', async () => {
    const tenant = await newTenant({ limits: '1/1h' })
    const session = await inbound(tenant)
    await block(tenant, { on: atMail })
    for (const host of [atMail, atRcpt]) {
      const from = stranger()
      const to = ['a@here.example', 'b@here.example', 'x@far.example']
      const sent = await host.send({ from, to, session })
      assert.deepEqual(raws([sent.mail, ...sent.rcpts]), [
        `250 sender <${from}> OK\r\n`,
        accepted('a@here.example'),
        accepted('b@here.example'),
        noRelay('x@far.example'),
      ])
      const [message] = delivered(host, from)
      assert.equal(message?.hook, 'queue')
      assert.equal(message?.note, undefined)
      assert.deepEqual((await resultsOf(host, from))?.skip, ['not-relaying'])
    }
    assert.equal(await tenant.used(), 0)
  })

  it('passes local mail under unknown=deny and from a disabled connector', async () => {
    const nobody = { localAddress: '127.78.0.1' }
    const tenant = await newTenant()
    const session = await inbound(tenant)
    await relay.registry.connectors.setEnabled(tenant.id, 'inbound', false)
    for (const each of [nobody, session]) {
      const sent = await atRcpt.send({ from: stranger(), to: 'a@here.example', session: each })
      assert.equal(sent.delivered, true, String(sent.last))
    }
  })
})

describe('relaying granted for one transaction', () => {
  it('by a mail hook: counted in that one, and not in the next', async () => {
    const tenant = await newTenant()
    const client = await atMail.connect(await inbound(tenant))
    const relayed = await client.send({ from: stranger('relay-from-mail'), to: 'a@far.example' })
    assert.equal(relayed.delivered, true)
    assert.equal(await tenant.used(), 1)

    const from = stranger()
    const next = await client.send({ from, to: ['a@far.example', 'a@here.example'] })
    assert.deepEqual(raws(next.rcpts), [noRelay('a@far.example'), accepted('a@here.example')])
    assert.equal(delivered(atMail, from)[0]?.note, undefined)
    assert.equal(await tenant.used(), 1)
    await client.quit()
  })

  it('by a mail hook, of a restricted tenant: refused at MAIL in that one only', async () => {
    const tenant = await newTenant()
    const client = await atMail.connect(await inbound(tenant))
    await block(tenant)
    const from = stranger('relay-from-mail')
    assert.equal((await client.mail(from)).raw, REPLY.blocked)
    assert.deepEqual((await resultsOf(atMail, from))?.fail, ['restricted'])
    const next = await client.send({ from: stranger(), to: 'a@here.example' })
    assert.equal(next.delivered, true)
    assert.equal((await client.mail(stranger('relay-from-mail'))).raw, REPLY.blocked)
    await client.quit()
  })

  it('by a rcpt hook: recipients before it are not counted, those after it are', async () => {
    const tenant = await newTenant({ limits: '2/1h' })
    const session = await inbound(tenant)
    const from = stranger()
    const to = [
      'a@here.example',
      'relay-from-rcpt@far.example',
      'b@far.example',
      `c@${tenant.domain}`,
      'd@far.example',
    ]
    const sent = await atMail.send({ from, to, session })
    assert.deepEqual(raws([sent.mail, ...sent.rcpts]), [
      `250 sender <${from}> OK\r\n`,
      ...to.slice(0, 4).map(accepted),
      REPLY.blocked,
    ])
    assert.equal(await tenant.used(), 2)
    const note = { tenant: tenant.id, connector: `${tenant.id}/inbound`, class: 'unregistered' }
    assert.deepEqual(delivered(atMail, from)[0]?.note, note)
    const { pass, fail, skip } = (await resultsOf(atMail, from)) ?? {}
    assert.deepEqual(
      { pass, fail, skip },
      {
        pass: ['allowance'],
        fail: ['tripped'],
        skip: ['not-relaying'],
      },
    )
  })

  it('by a rcpt hook, of a restricted tenant: MAIL passes, RCPT is refused', async () => {
    const tenant = await newTenant()
    const session = await inbound(tenant)
    await block(tenant)
    for (const [user, host] of [
      ['relay-from-rcpt', atMail],
      ['relay-at-last', atMail],
      ['relay-from-rcpt', atRcpt],
      ['relay-at-last', atRcpt],
    ] as const) {
      const sent = await host.send({ from: stranger(), to: `${user}@far.example`, session })
      assert.equal(sent.mail.code, 250)
      assert.deepEqual(raws(sent.rcpts), [REPLY.blocked], user)
    }
    assert.equal(await tenant.used(), 0)
  })

  it('by a later plugin that answers OK: still counted', async () => {
    const tenant = await newTenant({ limits: '1/1h' })
    const to = ['relay-at-last@far.example', 'relay-at-last@other.example']
    const sent = await atMail.send({ from: stranger(), to, session: await inbound(tenant) })
    assert.deepEqual(raws(sent.rcpts), [accepted('relay-at-last@far.example'), REPLY.blocked])
    assert.equal(await tenant.used(), 1)
  })

  it('to the registered sender: mail passes uncounted', async () => {
    const tenant = await newTenant()
    const session = await inbound(tenant)
    await block(tenant)
    const from = `relay-from-mail@${tenant.domain}`
    const sent = await atMail.send({ from, to: 'a@far.example', session })
    assert.equal(sent.delivered, true)
    assert.equal(await resultsOf(atMail, from), null)
  })
})

describe('no tenant', () => {
  it('unknown=ignore: passes, and is not marked', async () => {
    const from = stranger()
    const session = { localAddress: newAddress() }
    const sent = await atMail.send({ from, to: ['a@far.example', 'b@far.example'], session })
    assert.equal(sent.delivered, true)
    assert.equal(delivered(atMail, from)[0]?.note, undefined)
    assert.deepEqual((await resultsOf(atMail, from))?.skip, ['no-tenant'])
  })

  it('unknown=deny: refused at MAIL when the session relays already', async () => {
    const session = { localAddress: newAddress() }
    for (const from of ['', stranger()]) {
      const sent = await atRcpt.send({ from, to: 'a@far.example', session })
      assert.equal(sent.mail.raw, REPLY.noTenant)
      assert.deepEqual((await resultsOf(atRcpt, from))?.fail, ['no-tenant'])
    }
  })

  it('unknown=deny: refused at RCPT when it relays only after MAIL', async () => {
    const session = { localAddress: '127.78.0.2' }
    const to = ['a@here.example', 'relay-from-rcpt@far.example', 'relay-at-last@far.example']
    const sent = await atRcpt.send({ from: stranger(), to, session })
    assert.equal(sent.mail.code, 250)
    assert.deepEqual(raws(sent.rcpts), [accepted('a@here.example'), REPLY.noTenant, REPLY.noTenant])
    assert.equal(sent.delivered, true)
  })
})

describe('grant_relay', () => {
  const far: Mail = { from: 'x@granted.example', to: 'a@far.example' }

  async function relays(client: SmtpClient): Promise<boolean> {
    const { rcpts, delivered } = await client.send(far)
    if (!delivered) assert.deepEqual(raws(rcpts), [noRelay('a@far.example')])
    return delivered
  }

  async function grantsAndRevokes(
    tenant: TestTenant,
    identities: { ip?: string[]; cert?: string[] },
    open: () => Promise<SmtpClient>,
  ): Promise<void> {
    const { id } = tenant
    const early = await open()
    assert.equal(await relays(early), false)
    const usedBefore = await tenant.used()

    await relay.registry.connectors.add(id, 'way', identities, 'test')
    await waitFor(() => relays(early))
    // Early was greeted without a grant, late with one.
    const late = await open()
    assert.equal(await relays(late), true)
    assert.ok((await tenant.used()) > usedBefore)

    const allRelay = async (): Promise<boolean> => (await relays(early)) && (await relays(late))
    const noneRelays = async (): Promise<boolean> =>
      !(await relays(early)) && !(await relays(late)) && !(await relays(await open()))
    await relay.registry.connectors.setEnabled(id, 'way', false)
    await waitFor(noneRelays)
    await relay.registry.connectors.setEnabled(id, 'way', true)
    await waitFor(allRelay)
    await relay.registry.connectors.remove(id, 'way')
    await waitFor(noneRelays)
  }

  it('lets an address relay while its connector is there and enabled', async () => {
    const tenant = await newTenant()
    const localAddress = newAddress()
    await grantsAndRevokes(tenant, { ip: [`${localAddress}/32`] }, () =>
      granting.connect({ localAddress }),
    )
  })

  it('lets a certificate relay after STARTTLS while its connector is there and enabled', async () => {
    const tenant = await newTenant()
    const { key, cert } = mxCertificate
    await grantsAndRevokes(tenant, { cert: ['mx.granted.example'] }, () =>
      granting.connect({ localAddress: newAddress(), starttls: { key, cert } }),
    )
  })

  it('ends in the middle of a transaction', async () => {
    const tenant = await newTenant()
    const client = await tenant.connect({ on: granting })
    await client.mail(far.from)
    assert.equal((await client.rcpt('a@far.example')).raw, accepted('a@far.example'))
    await relay.registry.connectors.setEnabled(tenant.id, 'mx', false)
    await waitFor(async () => (await client.rcpt('b@far.example')).raw === noRelay('b@far.example'))
    await client.quit()
  })

  it('grants nothing but relaying: that mail is counted and restricted', async () => {
    const tenant = await newTenant({ limits: '1/1h' })
    const from = stranger()
    const sent = await tenant.send(
      { from, to: ['a@far.example', 'b@far.example'] },
      { on: granting },
    )
    assert.deepEqual(raws(sent.rcpts), [accepted('a@far.example'), REPLY.blocked])
    await waitFor(
      async () =>
        (await tenant.send({ from, to: 'a@far.example' }, { on: granting })).mail.raw ===
        REPLY.blocked,
    )
  })

  it('leaves AUTH its own right to relay', async () => {
    const tenant = await newTenant()
    const client = await tenant.connect({
      on: granting,
      auth: { user: 'alice', password: 'secret' },
    })
    await waitFor(() => relays(client))
    await relay.registry.connectors.remove(tenant.id, 'mx')
    await waitFor(async () => (await noteOf(granting, client)) === null)
    assert.equal(await relays(client), true)
    await client.quit()
  })

  it('ends for a session whose AUTH came before XCLIENT', async () => {
    const tenant = await newTenant()
    const address = newAddress()
    await relay.registry.connectors.add(tenant.id, 'behind', { ip: [`${address}/32`] }, 'test')
    await relay.attributed({ localAddress: address }, `${tenant.id}/behind`)
    // The plugin xclient trusts 127.0.0.1.
    const client = await granting.connect({ auth: { user: 'alice', password: 'secret' } })
    await client.xclient({ ADDR: address, NAME: 'client.example' })
    await client.ehlo()
    assert.equal(await relays(client), true)
    await relay.registry.connectors.remove(tenant.id, 'behind')
    await waitFor(async () => !(await relays(client)))
    await client.quit()
  })

  it('comes in time for ports 587 and 465, where a session must relay before MAIL', async () => {
    const tenant = await newTenant()
    const address = newAddress()
    const { key, cert } = mxCertificate
    const identities = { ip: [`${address}/32`], cert: ['mx.granted.example'] }
    await relay.registry.connectors.add(tenant.id, 'behind', identities, 'test')
    await relay.attributed({ localAddress: address }, `${tenant.id}/behind`)
    const yes = `250 sender <${far.from}> OK\r\n`
    const no = '550 Authentication required\r\n'
    for (const [ADDR, certificate, answer] of [
      [address, undefined, yes],
      [newAddress(), undefined, no],
      [newAddress(), { key, cert }, yes],
    ] as const) {
      const client = await granting.connect()
      await client.xclient({ ADDR, DESTPORT: '587', NAME: 'client.example' })
      await client.ehlo()
      if (certificate) {
        await client.starttls(certificate)
        await client.ehlo()
      }
      assert.equal((await client.mail(far.from)).raw, answer)
      await client.quit()
    }
    await relay.registry.connectors.remove(tenant.id, 'behind')
  })

  it('is off by default: a connector alone does not open the relay', async () => {
    const tenant = await newTenant()
    const sent = await atMail.send({ ...far, session: await inbound(tenant) })
    assert.deepEqual(raws(sent.rcpts), [noRelay('a@far.example')])
  })
})

describe('disabled connector', () => {
  it('gets the 5.7.64 for all relayed mail, in an open session too, until it is enabled', async () => {
    const tenant = await newTenant()
    for (const host of [atMail, atRcpt]) {
      const client = await tenant.connect({ on: host })
      assert.equal((await client.mail(`x@${tenant.domain}`)).code, 250)
      await client.rset()
      await relay.registry.connectors.setEnabled(tenant.id, 'mx', false)
      const from = stranger()
      const mail = async (sender: string): Promise<string> => {
        const { raw } = await client.mail(sender)
        await client.rset()
        return raw
      }
      await waitFor(async () => (await mail(from)) === REPLY.noTenant)
      assert.equal(await mail(`x@${tenant.domain}`), REPLY.noTenant)
      assert.equal(await mail(''), REPLY.noTenant)
      const results = await resultsOf(host, from)
      assert.deepEqual(results?.fail, ['connector-disabled'])
      assert.equal(results?.connector, `${tenant.id}/mx`)
      await relay.registry.connectors.setEnabled(tenant.id, 'mx', true)
      await waitFor(async () => (await mail(from)).startsWith('250 '))
      await client.quit()
    }
  })

  it('gets it at RCPT when it is disabled after MAIL', async () => {
    const tenant = await newTenant()
    const client = await tenant.connect()
    await client.mail(`x@${tenant.domain}`)
    await relay.registry.connectors.setEnabled(tenant.id, 'mx', false)
    await waitFor(async () => (await client.rcpt('a@far.example')).raw === REPLY.noTenant)
    await client.quit()
  })

  it('falls through neither to another method nor to unknown=ignore', async () => {
    const tenant = await newTenant()
    const other = await newTenant()
    await relay.registry.connectors.add(other.id, 'user', { auth: ['alice'] }, 'test')
    const auth = { user: 'alice', password: 'secret' }
    await relay.attributed({ ...tenant.session, auth }, `${other.id}/user`)
    await relay.registry.connectors.setEnabled(other.id, 'user', false)
    const client = await tenant.connect({ auth })
    await waitFor(async () => {
      const { raw } = await client.mail(`x@${tenant.domain}`)
      await client.rset()
      return raw === REPLY.noTenant
    })
    await client.quit()
    await relay.registry.connectors.remove(other.id, 'user')
  })
})

describe('mode', () => {
  it('monitor: counts and reports past the limit, and refuses nothing', async () => {
    const tenant = await newTenant({ limits: '1/1h', nullLimits: '1/1h', mode: 'monitor' })
    const from = stranger()
    const sent = await tenant.send({
      from,
      to: ['a@far.example', 'b@far.example', 'c@far.example'],
    })
    assert.equal(sent.delivered, true)
    assert.equal(sent.accepted.length, 3)
    await tenant.send({ from: '', to: ['a@far.example', 'b@far.example'] })
    const [unregistered] = await relay.windows(tenant.id)
    assert.deepEqual([unregistered?.used, unregistered?.remaining], [3, 0])
    assert.equal(await tenant.used('null'), 2)
    assert.equal(await tenant.restriction(), undefined)
    const usage = await relay.redis.client().hget(relay.store.keys.usage(tenant.id), 'wouldTrip')
    assert.match(
      usage ?? '',
      new RegExp(`domain\t${from.split('@')[1]}\tconnector\t${tenant.id}/mx`),
    )
    assert.deepEqual((await resultsOf(atMail, from))?.pass, ['allowance'])
    await atMail.waitForLog(new RegExp(`would-trip.*${tenant.id}`))
  })

  it('monitor: a restriction stays and refuses nothing until enforce returns', async () => {
    for (const scope of ['unregistered', 'all'] as const) {
      const tenant = await newTenant()
      await block(tenant, { scope })
      await relay.registry.tenants.set(tenant.id, { mode: 'monitor' })
      const send = (from: string) => tenant.send({ from, to: 'a@far.example' })
      await waitFor(async () => (await send(stranger())).delivered)
      assert.equal((await send(`x@${tenant.domain}`)).delivered, true)
      assert.equal((await tenant.restriction())?.scope, scope)
      await relay.registry.tenants.set(tenant.id, { mode: 'enforce' })
      const refused = scope === 'all' ? REPLY.blockedAll : REPLY.blocked
      await waitFor(async () => (await send(stranger())).mail.raw === refused)
    }
  })

  it('monitor: a disabled connector is not refused', async () => {
    const tenant = await newTenant({ mode: 'monitor' })
    await relay.registry.connectors.setEnabled(tenant.id, 'mx', false)
    const marker = await relay.connector(tenant.id, 'marker')
    await relay.attributed(marker, `${tenant.id}/marker`)
    const sent = await tenant.send({ from: stranger(), to: 'a@far.example' })
    assert.equal(sent.delivered, true, String(sent.last))
  })

  it('off: as if the plugin were not there', async () => {
    const tenant = await newTenant({ limits: '0/1h', mode: 'off' })
    const from = stranger()
    assert.equal((await tenant.send({ from, to: 'a@far.example' })).delivered, true)
    assert.equal(await tenant.used(), 0)
  })
})

describe('override', () => {
  it('monitor wins over the tenant: counts, and refuses nothing, not even the null sender', async () => {
    const tenant = await newTenant({ limits: '0/1h', nullLimits: '0/1h', mode: 'enforce' })
    await block(tenant, { scope: 'all' })
    for (const from of [stranger(), '', `x@${tenant.domain}`]) {
      const sent = await tenant.send({ from, to: 'a@far.example' }, { on: overridden })
      assert.equal(sent.delivered, true, String(sent.last))
    }
    assert.deepEqual(await usedBoth(tenant), { unregistered: 1, null: 1 })
  })

  it('monitor: no 5.7.64 without a tenant or from a disabled connector', async () => {
    const tenant = await newTenant()
    await relay.registry.connectors.setEnabled(tenant.id, 'mx', false)
    await relay.connector(tenant.id, 'marker')
    for (const session of [tenant.session, { localAddress: newAddress() }]) {
      const sent = await overridden.send({ from: stranger(), to: 'a@far.example', session })
      assert.equal(sent.delivered, true, String(sent.last))
    }
  })

  it('off: nothing is refused, counted or marked', async () => {
    const tenant = await newTenant({ limits: '0/1h', nullLimits: '0/1h' })
    await block(tenant, { scope: 'all' })
    for (const session of [tenant.session, { localAddress: newAddress() }]) {
      const from = stranger()
      const sent = await off.send({ from, to: 'a@far.example', session })
      assert.equal(sent.delivered, true, String(sent.last))
      assert.equal(delivered(off, from)[0]?.note, undefined)
      assert.equal(await resultsOf(off, from), null)
    }
    assert.deepEqual(await usedBoth(tenant), { unregistered: 0, null: 0 })
  })
})

describe('log', () => {
  it('logs each charge, and the first refusal of a restricted tenant', async () => {
    const tenant = await newTenant()
    const start = atMail.log.length
    const lines = (token: string): string[] =>
      atMail.log
        .slice(start)
        .split('\n')
        .filter((line) => line.includes(`] ${token} `) && line.includes(`tenant=${tenant.id} `))
    const from = stranger()
    await tenant.send({ from, to: ['a@far.example', 'b@far.example'] })
    await block(tenant)
    for (let message = 1; message <= 5; message++) {
      assert.equal((await tenant.send({ from, to: 'a@far.example' })).mail.raw, REPLY.blocked)
    }
    const [refusal, ...otherRefusals] = lines('refused')
    assert.match(refusal ?? '', /\[NOTICE\].* reason=restricted/)
    assert.deepEqual(otherRefusals, [])
    const [charge, ...otherCharges] = lines('charged')
    assert.equal(otherCharges.length, 1)
    const domain = from.split('@')[1]
    assert.match(
      charge ?? '',
      new RegExp(
        `\\[INFO\\].* connector=${tenant.id}/mx domain=${domain} class=unregistered verdict=pass ` +
          'used=1/300 transaction=[0-9A-F-]+[.]1$',
      ),
    )
  })
})

describe('block --all', () => {
  it('refuses every sender of the tenant at MAIL, and no other tenant', async () => {
    const tenant = await newTenant()
    const other = await newTenant()
    for (const host of [atMail, atRcpt, granting]) {
      await block(tenant, { scope: 'all', on: host })
      const client = await tenant.connect({ on: host })
      for (const from of [stranger(), '', `x@${tenant.domain}`]) {
        assert.equal((await client.mail(from)).raw, REPLY.blockedAll)
      }
      const sent = await other.send({ from: stranger(), to: 'a@far.example' }, { on: host })
      assert.equal(sent.delivered, true)
      await client.quit()
    }
    await relay.lift(tenant.id)
    for (const on of [atMail, atRcpt, granting]) {
      for (const from of [stranger(), '', `x@${tenant.domain}`]) {
        await waitFor(
          async () => (await tenant.send({ from, to: 'a@far.example' }, { on })).delivered,
        )
      }
    }
  })

  it('refuses recipients of open transactions, own domains too', async () => {
    const tenant = await newTenant()
    const client = await tenant.connect()
    await client.mail(`x@${tenant.domain}`)
    assert.equal((await client.rcpt('a@far.example')).code, 250)
    await block(tenant, { scope: 'all' })
    assert.equal((await client.rcpt('b@far.example')).raw, REPLY.blockedAll)
    assert.equal((await client.rcpt(`b@${tenant.domain}`)).raw, REPLY.blockedAll)
    // What was accepted is delivered.
    assert.equal((await client.data()).code, 354)
    assert.equal((await client.message()).code, 250)
    await client.quit()
  })

  it('widens a restriction, and leaves mail that the session does not relay alone', async () => {
    const tenant = await newTenant()
    const session = await inbound(tenant)
    await block(tenant)
    await block(tenant, { scope: 'all' })
    assert.equal((await tenant.restriction())?.scope, 'all')
    const local = await atMail.send({ from: stranger(), to: 'a@here.example', session })
    assert.equal(local.delivered, true)
    const to = ['relay-from-rcpt@far.example', 'relay-at-last@far.example']
    const sent = await atMail.send({ from: `x@${tenant.domain}`, to, session })
    assert.deepEqual(raws(sent.rcpts), [REPLY.blockedAll, REPLY.blockedAll])
  })

  it('is logged in one line, like its lifting', async () => {
    const tenant = await newTenant()
    const from = atMail.log.length
    await block(tenant, { scope: 'all' })
    await atMail.waitForLog(new RegExp(`\\[WARN\\].*\\bblocked\\b.*${tenant.id}`), { from })
    await relay.lift(tenant.id)
    await atMail.waitForLog(new RegExp(`\\[WARN\\].*\\bunblocked\\b.*${tenant.id}`), { from })
  })
})
