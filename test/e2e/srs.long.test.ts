// Forwards leave with a rewritten sender through Haraka's outbound to a second real server; bounces go on to the real
// sender. The last tests try to abuse this as an open relay.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { rewriteSender } from '../../src/outbound/srs/rewrite'
import {
  newAddress,
  startRelay,
  waitFor,
  type HarakaVersion,
  type SessionOptions,
  type SmtpClient,
  type TestHaraka,
  type TestRelay,
} from '../support'
import { routing, setRoutes, startOutside } from '../support/outside'
import { REPLY } from '../support/replies'

const DAY = 86_400_000
const srs = { domain: 'srs.relay.example', secrets: ['0123456789abcdef'] }
const settings = { srs: { domain: srs.domain, secret: srs.secrets[0]! } }

// Sets the result of a proof; here.example is a local domain; and a plugin that copies mail.
const site = `
  exports.register = function () {
    this.register_hook('data_post', 'prove', 100)
    this.register_hook('rcpt', 'at_home')
    this.register_hook('data_post', 'copy')
    this.register_hook('rcpt_ok', 'unloved')
  }
  exports.prove = function (next, { transaction }) {
    const found = transaction.header.get('X-Class').trim()
    const note = transaction.notes.unregistered_domain
    if (found) transaction.notes.unregistered_domain = { ...note, class: found }
    next()
  }
  exports.at_home = function (next, connection, [recipient]) {
    next(recipient.host === 'here.example' ? OK : undefined)
  }
  exports.copy = function (next, { transaction }) {
    const to = transaction.header.get('X-Copy').trim()
    if (to) transaction.rcpt_to.push(new transaction.rcpt_to[0].constructor('<' + to + '>'))
    next()
  }
  exports.unloved = function (next, connection, recipient) {
    next(/unloved/.test(recipient.user) ? DENY : undefined, 'not him')
  }`

/** The server of final recipients, and of the senders of forwards. */
let outside: TestHaraka

before(async () => {
  outside = await startOutside()
})

after(async () => {
  await outside.stop()
})

/** As our server would have rewritten it. */
function address(
  sender: string,
  { domain = srs.domain, secrets = srs.secrets, age = 0 } = {},
): string {
  const [user = '', host = ''] = sender.split('@')
  const made = rewriteSender({ user, domain: host }, { domain, secrets }, Date.now() - age * DAY)
  assert.ok('to' in made)
  return `${made.to.user}@${made.to.domain}`
}

let count = 0
/** A sender outside with an unregistered domain. */
const someone = (): string => `alice${++count}@origin.example`

for (const version of ['3.3.4', '3.1.7'] as const satisfies HarakaVersion[]) {
  describe(`SRS on Haraka ${version}`, () => {
    let relay: TestRelay
    let haraka: TestHaraka

    before(async () => {
      relay = await startRelay({
        version,
        settings,
        plugins: ['relay', 'unregistered-domain', 'site', 'test_sink', routing.name],
        localPlugins: { site, [routing.name]: routing.source },
        relayFrom: ['127.77.0.0/16'],
        users: { alice: 'secret' },
        config: { 'routes.json': '{}' },
      })
      haraka = relay.haraka
      setRoutes(haraka, { 'far.example': outside.port, 'origin.example': outside.port })
      setRoutes(outside, { [srs.domain]: haraka.port })
    })

    after(async () => {
      await relay.stop()
    })

    const tenantOf = (name: string) => relay.tenant(`${name}${++count}`)

    /** A server outside, that may not relay. */
    const stranger = (more: SessionOptions = {}): Promise<SmtpClient> =>
      haraka.connect({ localAddress: newAddress().replace('127.77.', '127.78.'), ...more })

    /** A mail that leaves by Haraka's own outbound. */
    const leaving = (from: string, to: string, headers: Record<string, string> = {}) => ({
      from,
      to,
      subject: `mail ${++count}`,
      headers: { 'X-Sink': 'pass', ...headers },
    })
    const forward = (from: string, to: string, headers: Record<string, string> = {}) =>
      leaving(from, to, { 'X-Class': 'forwarded', ...headers })

    const arrived = (subject: string) => outside.sink.waitFor((each) => each.subject === subject)
    const bounceTo = (recipient: string) =>
      outside.sink.waitFor(({ mailFrom, rcptTo }) => mailFrom === '' && rcptTo.includes(recipient))

    /** Sends the message of a transaction whose recipients were accepted. */
    const bounce = async (client: SmtpClient, subject: string, headers = ''): Promise<string> => {
      const { code } = await client.command('DATA')
      assert.equal(code, 354)
      return (await client.command(`Subject: ${subject}\r\n${headers}\r\nhello\r\n.`)).raw
    }

    describe('a forward', () => {
      it('leaves with a sender in the SRS domain, and is counted and recorded as before', async () => {
        const tenant = await tenantOf('forwards')
        const from = someone()
        const mail = forward(from, 'bob@far.example')
        const sent = await tenant.send(mail)
        assert.equal(sent.delivered, true)
        const { mailFrom, rcptTo } = await arrived(mail.subject)
        assert.match(mailFrom, /^SRS0=[\w+/]{6}=[A-Z2-7]{2}=origin\.example=alice\d+@srs\.relay/)
        assert.equal(mailFrom, address(from))
        assert.deepEqual(rcptTo, ['bob@far.example'])
        assert.equal(await tenant.used(), 1)
        await haraka.waitForLog(new RegExp(`srs.*sender=.?${from}`))
      })

      it('of another forwarder keeps the way back to the first one', async () => {
        const tenant = await tenantOf('chain')
        const mail = forward('SRS0=aaaa=AA=first.example=joe@second.example', 'bob@far.example')
        await tenant.send(mail)
        const { mailFrom } = await arrived(mail.subject)
        assert.match(mailFrom, /^SRS1=[\w+/]{6}=second\.example==aaaa=AA=first\.example=joe@srs\./)
      })

      it('keeps a sender that would become too long, or would need quotes', async () => {
        const tenant = await tenantOf('long')
        for (const from of [`${'u'.repeat(60)}@origin.example`, '"a b"@origin.example']) {
          const mail = forward(from, 'bob@far.example')
          assert.equal((await tenant.send(mail)).delivered, true)
          assert.equal((await arrived(mail.subject)).mailFrom, from)
        }
        await haraka.waitForLog(/leaves as it is: the rewritten one would be longer than the 64/)
      })

      it('refused by the next server after DATA is bounced by Haraka to the real sender', async () => {
        const tenant = await tenantOf('refused')
        const from = someone()
        await tenant.send(forward(from, 'bob@far.example', { 'X-Next': 'refuse' }))
        const { rcptTo } = await bounceTo(from)
        assert.deepEqual(rcptTo, [from])
      })

      it('without a route is bounced by Haraka to the real sender', async () => {
        const tenant = await tenantOf('nowhere')
        const from = someone()
        await tenant.send(forward(from, 'bob@nowhere.example'))
        await bounceTo(from)
      })

      it('bounced by another server comes back to its sender', async () => {
        const tenant = await tenantOf('bounced')
        const from = someone()
        // Outside knows no way to far.example, and its bounce goes to our port.
        await tenant.send(forward(from, 'gone@far.example', { 'X-Next': 'pass' }))
        const { mailFrom, rcptTo } = await bounceTo(from)
        assert.deepEqual({ mailFrom, rcptTo }, { mailFrom: '', rcptTo: [from] })
        await haraka.waitForLog(new RegExp(`srs-bounce.*to=.?${from}`))
        // Neither the bounce nor its delivery is the tenant's mail.
        assert.equal(await tenant.used(), 1)
        assert.equal(await tenant.used('null'), 0)
      })
    })

    describe('all other mail', () => {
      it('keeps its sender: registered, unregistered, null', async () => {
        const tenant = await tenantOf('others')
        for (const [from, found] of [
          [`joe@${tenant.domain}`, ''],
          [someone(), ''],
          [someone(), 'unregistered'],
          ['', 'forwarded'],
        ] as const) {
          const mail = leaving(from, 'bob@far.example', found ? { 'X-Class': found } : {})
          assert.equal((await tenant.send(mail)).delivered, true)
          assert.equal((await arrived(mail.subject)).mailFrom, from)
        }
      })
    })

    describe('a bounce to a rewritten sender', () => {
      const accepted = async (recipient: string, from = '<>'): Promise<string> => {
        const client = await stranger()
        await client.command(`MAIL FROM:${from}`)
        const { raw } = await client.command(`RCPT TO:<${recipient}>`)
        await client.quit()
        return raw
      }
      const refusals: [what: string, recipient: () => string, reply: string][] = [
        ['with a wrong hash', () => address(someone()).replace(/=.{6}=/, '=AAAAAA='), 'srsUnknown'],
        [
          'of which the sender was changed',
          () => `${address('x@origin.example').replace('=x@', '=victim@')}`,
          'srsUnknown',
        ],
        [
          'made with another secret',
          () => address(someone(), { secrets: ['not-this-one-at-all'] }),
          'srsUnknown',
        ],
        ['without parts', () => `SRS0=@${srs.domain}`, 'srsUnknown'],
        ['of 23 days', () => address(someone(), { age: 23 }), 'srsExpired'],
      ].map(([what, recipient, name]) => [what, recipient, REPLY[name as keyof typeof REPLY]]) as [
        string,
        () => string,
        string,
      ][]
      for (const [what, recipient, reply] of refusals) {
        it(`${what} is refused`, async () => assert.equal(await accepted(recipient()), reply))
      }

      it('is accepted after 20 days, in another case, with quotes, or with a source route', async () => {
        for (const recipient of [
          address(someone(), { age: 20 }),
          address(someone()).toLowerCase(),
          address(someone()).toUpperCase(),
          address(someone()).replace(/^(.*)@/, '"$1"@'),
          `@there.example:${address(someone())}`,
        ]) {
          assert.match(await accepted(recipient), /^250 /, recipient)
        }
      })

      it('is accepted with the null sender only', async () => {
        for (const from of ['<eve@evil.example>', `<${address(someone())}>`, '<postmaster>']) {
          assert.equal(await accepted(address(someone()), from), REPLY.srsOnlyBounces)
        }
      })

      it('to another domain is unknown here, even with the right secret', async () => {
        const other = address(someone(), { domain: 'srs.other.example' })
        assert.match(await accepted(other), /^550 I cannot deliver mail for/)
      })

      it('with SMTPUTF8 is refused', async () => {
        assert.equal(
          await accepted(`SRS0=AAAAAA=AA=origin.example=ü@${srs.domain}`),
          REPLY.srsUnknown,
        )
      })

      it('is not confirmed by VRFY', async () => {
        const client = await stranger()
        const good = await client.command(`VRFY ${address(someone())}`)
        const bad = await client.command(`VRFY SRS0=AAAAAA=AA=origin.example=x@${srs.domain}`)
        assert.equal(good.raw, bad.raw)
        await client.quit()
      })

      it('goes on to the SRS0 address of an earlier forwarder', async () => {
        const first = 'SRS0=aaaa=AA=first.example=joe@origin.example'
        const client = await stranger()
        await client.mail('')
        assert.match((await client.rcpt(address(first))).raw, /^250 /)
        assert.match(await bounce(client, `chain ${++count}`), /^250 /)
        await bounceTo(first)
        await client.quit()
      })

      it('leaves other addresses of the SRS domain to other plugins', async () => {
        assert.match(await accepted(`postmaster@${srs.domain}`), /^550 I cannot deliver mail for/)
        assert.match(await accepted('joe@here.example'), /^250 /)
      })
    })

    describe('a client that tries to relay', () => {
      it('gets no other recipient next to a valid address', async () => {
        const to = someone()
        const client = await stranger()
        await client.mail('')
        assert.match((await client.rcpt(address(to))).raw, /^250 /)
        for (const other of ['victim@far.example', 'joe@here.example', `x@${srs.domain}`]) {
          assert.equal((await client.rcpt(other)).raw, REPLY.srsAlone)
        }
        assert.equal(
          (await client.rcpt(address('x@y.example').replace('=x@', '=z@'))).raw,
          REPLY.srsUnknown,
        )
        const subject = `alone ${++count}`
        assert.match(await bounce(client, subject), /^250 /)
        assert.deepEqual((await arrived(subject)).rcptTo, [to])
        // The session is what it was.
        for (const from of ['', 'eve@evil.example']) {
          await client.mail(from)
          assert.match((await client.rcpt('victim@far.example')).raw, /^550 I cannot deliver/)
          await client.rset()
        }
        await client.quit()
      })

      it('gets none after a refusal of the victim either, nor before a local recipient', async () => {
        const client = await stranger()
        await client.mail('')
        assert.match((await client.rcpt('victim@far.example')).raw, /^550 I cannot deliver/)
        assert.match((await client.rcpt(address(someone()))).raw, /^250 /)
        await client.rset()
        await client.mail('')
        assert.match((await client.rcpt('joe@here.example')).raw, /^250 /)
        assert.equal((await client.rcpt(address(someone()))).raw, REPLY.srsAlone)
        const subject = `here ${++count}`
        assert.match(await bounce(client, subject), /^250 /)
        const here = await haraka.sink.waitFor((each) => each.subject === subject)
        assert.deepEqual([here.hook, here.rcptTo], ['queue', ['joe@here.example']])
        await client.quit()
      })

      it('reaches only that one sender', async () => {
        const to = someone()
        const client = await stranger()
        for (let message = 0; message < 3; message++) {
          await client.mail('')
          const rcpts = await client.pipeline(Array<string>(5).fill(`RCPT TO:<${address(to)}>`))
          assert.deepEqual(
            rcpts.map(({ code }) => code),
            Array(5).fill(250),
          )
          assert.match(await bounce(client, `replay of ${to}`), /^250 /)
        }
        const found = await waitFor(() => {
          const all = outside.sink.messages().filter(({ subject }) => subject === `replay of ${to}`)
          return all.length === 3 && all
        })
        assert.deepEqual(new Set(found.flatMap(({ rcptTo }) => rcptTo)), new Set([to]))
        await client.quit()
      })

      it('gets nothing through where a plugin adds a recipient', async () => {
        const to = someone()
        const client = await stranger()
        await client.mail('')
        await client.rcpt(address(to))
        const subject = `copy ${++count}`
        const answer = await bounce(client, subject, 'X-Copy: victim@far.example\r\n')
        assert.match(answer, /^450 4\.5\.3 Send bounces to SRS addresses in a separate transaction/)
        // A later message has arrived, so this one would have.
        await client.mail('')
        await client.rcpt(address(to))
        await bounce(client, `${subject}, later`)
        await arrived(`${subject}, later`)
        assert.equal(
          outside.sink.messages().some((each) => each.subject === subject),
          false,
        )
        await client.quit()
      })

      it('must authenticate first', async () => {
        const to = someone()
        const client = await stranger()
        await client.mail('')
        assert.match((await client.rcpt(address(to))).raw, /^250 /)
        assert.equal((await client.rcpt('bob@far.example')).raw, REPLY.srsAlone)
        assert.equal((await client.authPlain('alice', 'secret')).code, 235)
        assert.match((await client.rcpt('bob@far.example')).raw, /^250 /)
        const subject = `authenticated ${++count}`
        assert.match(await bounce(client, subject, 'X-Sink: pass\r\n'), /^250 /)
        await waitFor(() => {
          const all = outside.sink.messages().filter((each) => each.subject === subject)
          return (
            all
              .flatMap(({ rcptTo }) => rcptTo)
              .sort()
              .join() === `${to},bob@far.example`
          )
        })
        await client.quit()
      })

      it('may go on with local mail where another plugin refuses the valid address', async () => {
        const client = await stranger()
        await client.mail('')
        assert.match((await client.rcpt(address('unloved@origin.example'))).raw, /^550 not him/)
        assert.match((await client.rcpt('joe@here.example')).raw, /^250 /)
        const subject = `unloved ${++count}`
        assert.match(await bounce(client, subject), /^250 /)
        const here = await haraka.sink.waitFor((each) => each.subject === subject)
        assert.deepEqual(here.rcptTo, ['joe@here.example'])
        await client.quit()
      })
    })

    describe('a tenant that bounces to a rewritten sender', () => {
      it('is counted on the meter of the null sender, and reaches the real sender', async () => {
        const tenant = await tenantOf('tenant')
        const to = someone()
        const client = await tenant.connect()
        await client.mail('')
        assert.match((await client.rcpt(address(to))).raw, /^250 /)
        // It may relay, so other recipients are allowed.
        assert.match((await client.rcpt('bob@far.example')).raw, /^250 /)
        const subject = `tenant ${++count}`
        assert.match(await bounce(client, subject, 'X-Sink: pass\r\n'), /^250 /)
        await waitFor(() => {
          const all = outside.sink.messages().filter((each) => each.subject === subject)
          return (
            all
              .flatMap(({ rcptTo }) => rcptTo)
              .sort()
              .join() === `${to},bob@far.example`
          )
        })
        await client.quit()
        assert.equal(await tenant.used('null'), 2)
        assert.equal(await tenant.used(), 0)
      })

      it('reaches the real sender through any plugin that accepts relayed mail', async () => {
        const tenant = await tenantOf('forwarding')
        const to = someone()
        const subject = `taken ${++count}`
        await tenant.send({ from: '', to: address(to), subject })
        // Here the sink does.
        const taken = await haraka.sink.waitFor((each) => each.subject === subject)
        assert.deepEqual([taken.hook, taken.rcptTo], ['queue_outbound', [to]])
      })

      it('gets the reason for a wrong address, and is not counted', async () => {
        const tenant = await tenantOf('wrong')
        const wrong = address(someone()).replace(/=.{6}=/, '=AAAAAA=')
        const client = await tenant.connect()
        await client.mail('')
        assert.equal((await client.rcpt(wrong)).raw, REPLY.srsUnknown)
        await client.rset()
        await client.mail(`joe@${tenant.domain}`)
        assert.equal((await client.rcpt(address(someone()))).raw, REPLY.srsOnlyBounces)
        await client.quit()
        assert.equal(await tenant.used('null'), 0)
      })
    })
  })
}

describe('SRS that is off', () => {
  let relay: TestRelay

  before(async () => {
    relay = await startRelay({
      plugins: ['relay', 'unregistered-domain', 'site', 'test_sink', routing.name],
      localPlugins: { site, [routing.name]: routing.source },
      relayFrom: ['127.77.0.0/16'],
      config: { 'routes.json': '{}' },
    })
    setRoutes(relay.haraka, { 'far.example': outside.port })
  })

  after(async () => {
    await relay.stop()
  })

  it('rewrites nothing and accepts no bounces, until it is turned on and Haraka restarts', async () => {
    const { haraka } = relay
    const tenant = await relay.tenant('off')
    const from = someone()
    const headers = { 'X-Sink': 'pass', 'X-Class': 'forwarded' }
    const mail = { from, to: 'bob@far.example', subject: 'off', headers }
    await tenant.send(mail)
    const arrived = (subject: string) => outside.sink.waitFor((each) => each.subject === subject)
    assert.equal((await arrived('off')).mailFrom, from)

    const client = await haraka.connect({ localAddress: '127.78.77.1' })
    await client.mail('')
    const refused = /^550 I cannot deliver/
    assert.match((await client.rcpt(address(from))).raw, refused)
    haraka.writeSettings(settings)
    await haraka.waitForLog(/\[srs\] domain has changed: restart Haraka to use it/)
    assert.match((await client.rcpt(address(from))).raw, refused)
    await client.quit()
    await haraka.restart()
    await tenant.send({ ...mail, subject: 'on' })
    assert.equal((await arrived('on')).mailFrom, address(from))
  })
})
