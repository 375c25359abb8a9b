// The deny hooks of delay_deny and karma turn other plugins' refusals into an OK. Ours must stay.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type SessionOptions,
  type SmtpClient,
  type TenantOptions,
  type TestHaraka,
  type TestRedis,
  type TestTenant,
} from '../support'
import { observer, resultsOf } from '../support/observer'
import { connectionIniTrusting } from '../support/proxy'
import { REPLY } from '../support/replies'

/** config/plugins with our plugin; lists with both plugins run with refuse_at=rcpt too. */
const arrangements: Record<string, { first: string[]; last: string[]; both?: true }> = {
  'delay_deny before us': { first: ['delay_deny'], last: [] },
  'delay_deny after us': { first: [], last: ['delay_deny'] },
  'karma before us': { first: ['redis', 'karma'], last: [] },
  'karma after us': { first: ['redis'], last: ['karma'] },
  'delay_deny and karma before us': {
    first: ['redis', 'delay_deny', 'karma'],
    last: [],
    both: true,
  },
  'karma and delay_deny after us': { first: ['redis'], last: ['karma', 'delay_deny'], both: true },
}

// Another plugin that refuses at each hook where a refusal can be turned into an OK.
const refuser = `
  const refuse = (what) => (next, connection, params) => {
    const { user } = Array.isArray(params) ? params[0] : params
    if (user === 'refuse-' + what) next(DENY, 'Refused by the site')
    else next()
  }
  exports.hook_mail = refuse('mail')
  exports.hook_rcpt = refuse('rcpt')
  exports.hook_rcpt_ok = refuse('rcpt-ok')`

let redis: TestRedis
before(async () => {
  redis = await startRedis()
})
after(() => redis.stop())

let count = 0
const stranger = (): string => `x@stranger${++count}.example`

for (const [name, { first, last, both = false }] of Object.entries(arrangements)) {
  describe(name, () => {
    let relay: TestRelay
    let atMail: TestHaraka

    before(async () => {
      const start = (refuseAt: string) =>
        startHaraka({
          redis,
          settings: { main: { refuse_at: refuseAt } },
          plugins: [
            ...first,
            ...['relay', 'unregistered-domain', 'refuser', observer.name],
            ...last,
            'test_sink',
          ],
          localPlugins: { refuser, [observer.name]: observer.source },
          relayFrom: ['198.18.0.0/15'],
          config: {
            'connection.ini': connectionIniTrusting('127.0.0.1'),
            'redis.ini': `[server]\nport=${redis.port}\n[pubsub]\nport=${redis.port}\n`,
            // As shipped, karma does not change refusals at rcpt.
            'karma.ini': `[redis]\nport=${redis.port}\n[deny_excludes]\nhooks=queue\n`,
          },
        })
      relay = new TestRelay(
        redis,
        await Promise.all(['mail', ...(both ? ['rcpt'] : [])].map(start)),
      )
      atMail = relay.haraka
    })
    after(() => Promise.all(relay.hosts.map((host) => host.stop())))

    /** A tenant with a public address, set by PROXY: karma ignores private addresses. */
    async function newTenant(options?: TenantOptions): Promise<TestTenant & Session> {
      const id = `tenant${++count}`
      const proxyFrom = `198.18.${Math.floor(count / 250)}.${(count % 250) + 1}`
      const connectors = { mx: { ip: [`${proxyFrom}/32`] } }
      const tenant = await relay.tenant(id, { ...options, connectors })
      const from = { proxyFrom }
      await relay.attributed(from, `${id}/mx`)
      return Object.assign(tenant, { from })
    }

    const block = ({ id }: TestTenant, scope: 'unregistered' | 'all' = 'unregistered') =>
      relay.restrictions.place(id, { scope, by: 'test', reason: 'test' })

    /** Sends MAIL until it is refused: the change has not reached the process yet. */
    async function refusedMail(client: SmtpClient, from: string): Promise<string> {
      const { raw } = await waitFor(async () => {
        const reply = await client.mail(from)
        if (reply.positive) await client.rset()
        return !reply.positive && reply
      })
      return raw
    }

    /** Sends the rest of a message whose MAIL or only RCPT was refused, like a client that ignores refusals. */
    async function goesOn(client: SmtpClient, host: TestHaraka, from: string): Promise<void> {
      for (const command of [() => client.rcpt('z@far.example'), () => client.data()]) {
        const reply = await command()
        assert.equal(reply.positive, false, String(reply))
      }
      await client.quit()
      assert.deepEqual(
        host.sink.messages().filter(({ mailFrom }) => mailFrom === from),
        [],
      )
    }

    it('at MAIL', async () => {
      const tenant = await newTenant()
      await block(tenant)
      const client = await atMail.connect(tenant.from)
      const from = stranger()
      await refusedMail(client, stranger())
      // No mail of this sender was accepted before, so it has one transaction.
      assert.equal((await client.mail(from)).raw, REPLY.blocked)
      assert.deepEqual((await resultsOf(atMail, from))?.fail, ['restricted'])
      await goesOn(client, atMail, from)
    })

    it('at MAIL, of a tenant that is blocked with --all', async () => {
      const tenant = await newTenant()
      await block(tenant, 'all')
      for (const host of relay.hosts) {
        const client = await host.connect(tenant.from)
        const from = `x@${tenant.domain}`
        assert.equal(await refusedMail(client, from), REPLY.blockedAll)
        await goesOn(client, host, from)
      }
    })

    it('at MAIL, of a disabled connector', async () => {
      const tenant = await newTenant()
      await relay.registry.connectors.setEnabled(tenant.id, 'mx', false)
      const client = await atMail.connect(tenant.from)
      assert.equal(await refusedMail(client, stranger()), REPLY.noTenant)
      await client.quit()
    })

    it('at RCPT, when the restriction comes after MAIL', async () => {
      const tenant = await newTenant()
      const from = stranger()
      const client = await atMail.connect(tenant.from)
      assert.equal((await client.mail(from)).code, 250)
      await block(tenant)
      assert.equal(await refusedMail(await atMail.connect(tenant.from), stranger()), REPLY.blocked)
      assert.equal((await client.rcpt('a@far.example')).raw, REPLY.blocked)
      await goesOn(client, atMail, from)
    })

    it('in rcpt_ok: the trip, and all recipients after it', async () => {
      for (const host of relay.hosts) {
        const tenant = await newTenant({ limits: '2/1h' })
        const from = stranger()
        const to = ['a@far.example', 'b@far.example', 'c@far.example', 'd@far.example']
        const sent = await host.send({ from, to, session: tenant.from })
        assert.deepEqual(
          sent.rcpts.map(({ raw }) => raw),
          [
            '250 recipient <a@far.example> OK\r\n',
            '250 recipient <b@far.example> OK\r\n',
            REPLY.blocked,
            REPLY.blocked,
          ],
        )
        assert.equal(sent.delivered, true)
        const { fail } = (await resultsOf(host, from)) ?? {}
        assert.deepEqual(fail, ['tripped', 'restricted'])

        const again = stranger()
        for (let message = 1; message <= 3; message++) {
          const refused = await host.send({ from: again, to, session: tenant.from })
          assert.equal(refused.last.raw, REPLY.blocked)
          assert.equal(refused.accepted.length, 0)
        }
        const delivered = host.sink.messages().filter(({ note }) => isOf(note, tenant))
        assert.deepEqual(
          delivered.map(({ rcptTo }) => rcptTo),
          [['a@far.example', 'b@far.example']],
        )
        assert.equal(await tenant.used(), 2)
      }
    })

    it('in rcpt_ok: answers of 451', async () => {
      const tenant = await newTenant({ limits: '1/1h defer', nullLimits: '1/1h' })
      for (const [from, refused] of [
        [stranger(), REPLY.deferred],
        ['', REPLY.nullSenderFull],
      ] as const) {
        const to = ['a@far.example', 'b@far.example']
        const { rcpts } = await atMail.send({ from, to, session: tenant.from })
        assert.equal(rcpts[0]?.code, 250)
        assert.equal(rcpts[1]?.raw, refused)
      }
    })

    it('leaves other plugins’ refusals to them', async () => {
      const tenant = await newTenant()
      const client = await atMail.connect(tenant.from)
      assert.equal((await client.mail(`refuse-mail@${tenant.domain}`)).code, 250)
      for (const to of ['refuse-rcpt@far.example', 'refuse-rcpt-ok@far.example']) {
        assert.equal((await client.rcpt(to)).code, 250)
      }
      await client.quit()
    })

    it('lets registered mail pass', async () => {
      const tenant = await newTenant()
      await block(tenant)
      for (const host of relay.hosts) {
        const from = `x@${tenant.domain}`
        const sent = await host.send({ from, to: 'a@far.example', session: tenant.from })
        assert.equal(sent.delivered, true, String(sent.last))
      }
    })

    if (both) {
      it('at RCPT (refuse_at=rcpt)', async () => {
        const atRcpt = relay.hosts[1] ?? assert.fail()
        const tenant = await newTenant()
        await block(tenant)
        const from = stranger()
        // Until the restriction reaches the process, Redis refuses, in rcpt_ok.
        const knows = await atRcpt.connect(tenant.from)
        await knows.mail(stranger())
        assert.equal((await knows.rcpt('a@far.example')).raw, REPLY.blocked)
        await knows.quit()

        const client = await atRcpt.connect(tenant.from)
        assert.equal((await client.mail(from)).code, 250)
        for (const to of ['a@far.example', 'b@far.example']) {
          assert.equal((await client.rcpt(to)).raw, REPLY.blocked)
        }
        await goesOn(client, atRcpt, from)
      })
    }
  })
}

interface Session {
  /** What the connector `mx` recognises. */
  from: SessionOptions
}

function isOf(note: unknown, { id }: TestTenant): boolean {
  const { tenant, class: senderClass } = (note ?? {}) as { tenant?: string; class?: string }
  return tenant === id && senderClass === 'unregistered'
}
