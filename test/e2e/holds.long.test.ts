// Recipients of possible forwards are held until the message is there: in a real Haraka with two workers, and with
// every end of a transaction.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import {
  startHaraka,
  startRedis,
  startRelay,
  TestRelay,
  waitFor,
  type HarakaVersion,
  type SmtpClient,
  type TestHaraka,
  type TestTenant,
} from '../support'
import { TestDns } from '../support/dns'
import { REPLY } from '../support/replies'
import { keyZones, signer, signMessage } from '../support/signed'
import { letter } from './table/row'

/** For workers that start on a busy machine. */
const PATIENCE = { timeout: 60_000 }
const NEWS = 'news@bank.example'
const FAR = 'a@far.example'
const bank = { domain: 'bank.example' }
const silent = { ...bank, selector: 'silent' }
/** Most that one tenant may have open. */
const MOST = 200

/** Another plugin that answers data_post before or after ours, as a header says. */
const interloper = `
exports.register = function () {
  this.register_hook('data_post', 'before', -100)
  this.register_hook('data_post', 'after', 100)
}
const wish = ({ transaction }) => transaction.header.get('X-Interloper').trim()
exports.before = (next, connection) =>
  wish(connection) === 'ok before' ? next(OK) :
  wish(connection) === 'refuse before' ? next(DENY, 'no') : next()
exports.after = (next, connection) => wish(connection) === 'refuse after' ? next(DENY, 'no') : next()`

let subjects = 0

/** A letter that its own signature proves to be a forward; fields added. */
function proven(tenant: TestTenant, fields = {}, by = bank): string {
  return signMessage(letter(tenant.domain, { Subject: `S${++subjects}`, ...fields }), by)
}

/** The same without a proof. */
function unproven(tenant: TestTenant, fields = {}): string {
  return letter(tenant.domain, { Subject: `S${++subjects}`, ...fields })
}

/** A session with these recipients accepted, and the transaction open. */
async function open(
  tenant: TestTenant,
  to: readonly string[] = [FAR],
  on?: TestHaraka,
): Promise<SmtpClient> {
  const client = await tenant.connect(on && { on })
  assert.equal((await client.mail(NEWS)).code, 250)
  for (const each of to) assert.equal((await client.rcpt(each)).code, 250)
  return client
}

async function end(client: SmtpClient, text: string): Promise<string> {
  assert.equal((await client.data()).code, 354)
  return (await client.message(text)).raw
}

interface Meters {
  unregistered?: number
  forwarded?: number
  held?: number
}

/** Waits until the tenant's meters show exactly that: refunds come a moment later. */
async function settled(tenant: TestTenant, { unregistered = 0, forwarded = 0, held = 0 }: Meters) {
  const wanted = { unregistered, forwarded, held }
  let found = {}
  const reached = async (): Promise<boolean> => {
    found = {
      unregistered: await tenant.used(),
      forwarded: await tenant.used('forwarded'),
      held: await tenant.held(),
    }
    return isDeepStrictEqual(found, wanted)
  }
  await waitFor(reached).catch(() => assert.deepEqual(found, wanted))
}

const QUEUED = /^250 Message Queued /

for (const version of ['3.3.4', '3.1.7'] satisfies HarakaVersion[]) {
  describe(`recipients that are held, on Haraka ${version}`, () => {
    let dns: TestDns
    let relay: TestRelay
    let tenants = 0
    before(async () => {
      dns = await TestDns.start({
        ...keyZones([signer(bank)]),
        'silent._domainkey.bank.example': { trouble: 'silent' },
      })
      relay = await startRelay({
        ...{
          version,
          nodes: 2,
          settings: { redis: { command_timeout: 5000 }, forwarded: { enabled: true } },
        },
        // Loaded before ours, so its hook of the same priority runs first.
        plugins: ['ask_test_dns', 'relay', 'interloper', 'unregistered-domain', 'test_sink'],
        localPlugins: {
          interloper,
          ask_test_dns: `require('node:dns').setServers(['${dns.address}'])`,
        },
      })
    })
    after(async () => {
      await relay?.stop()
      await dns?.stop()
    })

    const newTenant = (limits = '100/1h'): Promise<TestTenant> =>
      relay.tenant(`t${++tenants}`, { limits, forwardedLimits: '500/1h' })

    it('trip no tenant: 150 forwards at once pass, where three unregistered ones would be too many', async () => {
      const tenant = await newTenant('3/1h')
      const clients = await Promise.all(Array.from({ length: 150 }, () => open(tenant)))
      for (const { code } of await Promise.all(clients.map((client) => client.data()))) {
        assert.equal(code, 354)
      }
      await settled(tenant, { held: 150 })
      // A few at a time: the test is about holds, not about how much DNS a busy machine can ask at once.
      for (let at = 0; at < clients.length; at += 10) {
        const some = clients.slice(at, at + 10)
        const replies = await Promise.all(some.map((client) => client.message(proven(tenant))))
        for (const { raw } of replies) assert.match(raw, QUEUED)
      }
      await settled(tenant, { forwarded: 150 })
      assert.equal(await tenant.restriction(), undefined)
      await Promise.all(clients.map((client) => client.quit()))
    })

    it(`are at most ${MOST}; one more gets a 451 until others have ended`, async () => {
      const tenant = await newTenant()
      const client = await open(
        tenant,
        Array.from({ length: MOST }, (_, at) => `r${at}@far.example`),
      )
      const other = await tenant.connect()
      await other.mail(NEWS)
      assert.equal((await other.rcpt(FAR)).raw, REPLY.deferred)
      await settled(tenant, { held: MOST })
      await client.rset()
      await waitFor(async () => (await other.rcpt(FAR)).code === 250)
      assert.match(await end(other, proven(tenant)), QUEUED)
      await settled(tenant, { forwarded: 1 })
      await Promise.all([client.quit(), other.quit()])
    })

    it('trip when their messages prove nothing, and then none is accepted', async () => {
      const tenant = await newTenant('3/1h')
      const clients = await Promise.all(Array.from({ length: 6 }, () => open(tenant)))
      const replies: string[] = []
      for (const client of clients) replies.push(await end(client, unproven(tenant)))
      for (const taken of replies.slice(0, 3)) assert.match(taken, QUEUED)
      assert.deepEqual(replies.slice(3), Array(3).fill(REPLY.blocked))
      await settled(tenant, { unregistered: 3 })
      assert.ok(await tenant.restriction())
      const told = relay.haraka.log
        .split('\n')
        .filter((line) => line.includes('] tripped ') && line.includes(`tenant=${tenant.id} `))
      assert.equal(told.length, 1)
      await Promise.all(clients.map((client) => client.quit()))
    })

    it('are counted for each message, also where both kinds come at once', async () => {
      const tenant = await newTenant('10/1h')
      const clients = await Promise.all(Array.from({ length: 20 }, () => open(tenant)))
      const replies = await Promise.all(
        clients.map((client, at) => end(client, at % 2 ? proven(tenant) : unproven(tenant))),
      )
      for (const raw of replies) assert.match(raw, QUEUED)
      await settled(tenant, { unregistered: 10, forwarded: 10 })
      assert.equal(await tenant.restriction(), undefined)
      await Promise.all(clients.map((client) => client.quit()))
    })

    const endings: readonly [
      string,
      (client: SmtpClient, tenant: TestTenant) => Promise<unknown>,
    ][] = [
      ['RSET', (client) => client.rset()],
      ['QUIT', (client) => client.quit()],
      ['a FIN', (client) => client.leave('FIN')],
      ['a RST', (client) => client.leave('RST')],
      ['EHLO', (client) => client.ehlo()],
      [
        'a RST in DATA',
        async (client) => {
          await client.data()
          client.write('Subject: cut off\r\n\r\nThe first half')
          await client.leave('RST')
        },
      ],
    ]
    for (const [how, act] of endings) {
      it(`end uncounted with ${how}`, async () => {
        const tenant = await newTenant()
        const client = await open(tenant, [FAR, 'b@far.example'])
        await settled(tenant, { held: 2 })
        await act(client, tenant)
        await settled(tenant, {})
        if (!client.closed) await client.quit()
      })
    }

    const refusals: readonly [string, Record<string, string>, number][] = [
      ['another plugin at data_post, before us', { 'X-Interloper': 'refuse before' }, 550],
      ['another plugin at data_post, after us', { 'X-Interloper': 'refuse after' }, 550],
      ['the queue, for good', { 'X-Sink': 'refuse' }, 550],
      ['the queue, for now', { 'X-Sink': 'defer' }, 450],
    ]
    for (const [who, fields, code] of refusals) {
      it(`are refunded when ${who} refuses, proven or not`, async () => {
        const tenant = await newTenant()
        const client = await tenant.connect()
        for (const make of [proven, unproven]) {
          await client.mail(NEWS)
          for (const to of [FAR, 'b@far.example']) assert.equal((await client.rcpt(to)).code, 250)
          const reply = await end(client, make(tenant, fields))
          assert.equal(Number(reply.slice(0, 3)), code)
          await settled(tenant, {})
        }
        await client.quit()
      })
    }

    it('leave the budget of a signature unchanged when the queue refuses', async () => {
      const tenant = await newTenant()
      const client = await tenant.connect()
      // One signature for all messages: it covers neither field.
      const [refused, taken] = [{ 'X-Sink': 'refuse' }, { 'X-Sink': 'none' }].map((fields) =>
        signMessage(letter(tenant.domain, { Subject: 'once', ...fields }), bank),
      )
      for (let round = 1; round <= 6; round++) {
        await client.mail(NEWS)
        await client.rcpt(FAR)
        assert.match(await end(client, refused!), /^550 /)
      }
      await settled(tenant, {})
      for (let round = 1; round <= 5; round++) {
        await client.mail(NEWS)
        await client.rcpt(FAR)
        assert.match(await end(client, taken!), QUEUED)
      }
      await settled(tenant, { forwarded: 5 })
      await client.quit()
    })

    it('are charged before the message is accepted where another plugin skips our data_post', async () => {
      const tenant = await newTenant('3/1h')
      const client = await open(tenant, [FAR, 'b@far.example'])
      assert.match(await end(client, unproven(tenant, { 'X-Interloper': 'ok before' })), QUEUED)
      await settled(tenant, { unregistered: 2 })
      // More than are left. In this hook Haraka appends the transaction to the text.
      const client2 = await open(tenant, [FAR, 'b@far.example'])
      const refused = await end(client2, unproven(tenant, { 'X-Interloper': 'ok before' }))
      assert.ok(refused.startsWith(REPLY.blocked.trimEnd()), refused)
      assert.ok(await tenant.restriction())
      await settled(tenant, { unregistered: 2 })
      await Promise.all([client.quit(), client2.quit()])
    })

    for (const how of ['FIN', 'RST'] as const) {
      it(`count as delivered when the client leaves with a ${how} during the DNS query`, async () => {
        const tenant = await newTenant()
        const client = await open(tenant, [FAR, 'b@far.example'])
        await client.data()
        const asked = dns.asked.length
        await client.messageAndLeave(how, proven(tenant, { Subject: `left ${tenant.id}` }, silent))
        await waitFor(() => dns.asked.length > asked)
        await waitFor(async () => (await tenant.held()) === 0)
        // A second message: when it is counted, the first one is complete.
        const next = await open(tenant)
        assert.match(await end(next, proven(tenant, {}, silent)), QUEUED)
        const first = relay.haraka.sink
          .messages()
          .find(({ subject }) => subject === `left ${tenant.id}`)
        await settled(tenant, { unregistered: 1 + (first?.rcptTo.length ?? 0) })
        await next.quit()
      })
    }

    it('stay held and uncounted where a worker is killed', async () => {
      const tenant = await newTenant('3/1h')
      const clients = await Promise.all(Array.from({ length: 20 }, () => open(tenant)))
      const { pid } = relay.haraka
      const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
      assert.equal(workers.length, 2)
      const from = relay.haraka.log.length
      for (const worker of workers) process.kill(Number(worker), 'SIGKILL')
      await waitFor(() => clients.every(({ closed }) => closed))
      // A connection handed to a worker that is being killed gets no answer, and is not closed either.
      const started = (): number =>
        relay.haraka.log.slice(from).match(/worker started/g)?.length ?? 0
      await waitFor(() => started() === 2, PATIENCE)
      // The new workers must have the tenant in their cache before their answers are checked.
      await waitFor(async () => {
        const mail = { from: `a@${tenant.domain}`, to: FAR }
        return (await tenant.send(mail).catch(() => undefined))?.delivered
      }, PATIENCE)
      await settled(tenant, { held: 20 })
      assert.equal(await tenant.restriction(), undefined)
      // They use up the bound, in a ring of ten minutes like all counts.
      const client = await tenant.connect()
      await waitFor(async () => (await client.mail(NEWS)).code === 250)
      let accepted = 0
      while ((await client.rcpt(`r${accepted}@far.example`)).code === 250) accepted++
      assert.equal(accepted, MOST - 20)
      const key = relay.store.keys.usage(tenant.id)
      assert.ok(await relay.redis.client().hexists(key, 'h600000'))
      await client.quit()
      await settled(tenant, { held: 20 })
    })
  })
}

describe('recipients that are held when Redis hangs at the end of DATA', () => {
  let dns: TestDns
  let relay: TestRelay
  let deferring: TestHaraka
  let accepting: TestHaraka
  before(async () => {
    dns = await TestDns.start(keyZones([signer(bank)]))
    const redis = await startRedis()
    const start = (unregistered: string): Promise<TestHaraka> =>
      startHaraka({
        redis,
        // Long enough for a machine under load, short enough to wait for.
        settings: {
          redis: { command_timeout: 1000 },
          outage: { unregistered },
          forwarded: { enabled: true },
        },
        plugins: ['ask_test_dns', 'relay', 'unregistered-domain', 'test_sink'],
        localPlugins: {
          ask_test_dns: `require('node:dns').setServers(['${dns.address}'])`,
        },
      })
    ;[deferring, accepting] = await Promise.all([start('tempfail'), start('accept')])
    relay = new TestRelay(redis, [deferring, accepting])
  })
  after(async () => {
    await relay?.stop()
    await dns?.stop()
  })

  /** The answer to a message of two recipients that ends while Redis hangs. */
  async function whileRedisHangs(
    tenant: TestTenant,
    { on, text }: { on: TestHaraka; text: string },
  ): Promise<string> {
    const client = await open(tenant, [FAR, 'b@far.example'], on)
    await client.data()
    relay.redis.pause()
    const { raw } = await client.message(text).finally(() => relay.redis.resume())
    await client.quit()
    return raw
  }

  for (const [what, make] of [
    ['proven', proven],
    ['not proven', unproven],
  ] as const) {
    it(`get a 451, and are not counted (${what})`, async () => {
      const tenant = await relay.tenant(`deferred-${make.name}`, {
        limits: '100/1h',
        forwardedLimits: '100/1h',
      })
      const text = make(tenant)
      assert.equal(await whileRedisHangs(tenant, { on: deferring, text }), REPLY.undecidable)
      await settled(tenant, {})
      // It comes again, and counts once.
      await waitFor(async () => QUEUED.test(await end(await open(tenant, [FAR], deferring), text)))
      await settled(tenant, make === proven ? { forwarded: 1 } : { unregistered: 1 })
    })

    it(`pass with [outage] unregistered=accept, and are counted once when it is back (${what})`, async () => {
      const tenant = await relay.tenant(`accepted-${make.name}`, {
        limits: '100/1h',
        forwardedLimits: '100/1h',
      })
      assert.match(await whileRedisHangs(tenant, { on: accepting, text: make(tenant) }), QUEUED)
      await settled(tenant, make === proven ? { forwarded: 2 } : { unregistered: 2 })
    })
  }
})
