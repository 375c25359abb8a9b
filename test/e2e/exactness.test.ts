import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import {
  formatMessage,
  startRelay,
  waitFor,
  type DeliveredMessage,
  type SmtpClient,
  type TestRelay,
  type TestTenant,
} from '../support'
import { Load, randomFrom } from '../support/load'
import { REPLY } from '../support/replies'

const FROM = 'x@unregistered.example'
const SESSIONS = 60
/** A message whose sender does not wait for the answer; the sink takes it when the test says so. */
const LEFT_SUBJECT = 'left'
const LEFT = formatMessage({
  ...{ from: FROM, to: 'someone@far.example', subject: LEFT_SUBJECT },
  headers: { 'X-Sink': 'hold' },
})
const PATIENCE = { timeout: 30_000 }

const SITES = [
  { what: 'four workers of a Haraka', nodes: 4, hosts: 1 },
  { what: 'two Harakas on one Redis', nodes: 0, hosts: 2 },
]

for (const { what, nodes, hosts } of SITES) {
  describe(`${SESSIONS} sessions on ${what}`, () => {
    let relay: TestRelay
    before(async () => {
      // On a busy machine Redis may take its time, and that is not what is tested here.
      const settings = { redis: { command_timeout: 10_000 } }
      relay = await startRelay({ nodes, hosts, settings })
    })
    after(() => relay.stop())

    function messages(tenant: TestTenant, from: string): DeliveredMessage[] {
      return relay.hosts
        .flatMap((host) => host.sink.messages())
        .filter(({ mailFrom, note }) => {
          return mailFrom === from && (note as { tenant: string }).tenant === tenant.id
        })
    }

    /** Recipients in unregistered mail that was delivered. */
    function delivered(tenant: TestTenant): number {
      return messages(tenant, FROM).reduce((sum, { rcptTo }) => sum + rcptTo.length, 0)
    }

    /** What was accepted is what was delivered, and what is counted. */
    async function assertSettled(tenant: TestTenant, accepted: number): Promise<void> {
      const figures = async () => ({ used: await tenant.used(), delivered: delivered(tenant) })
      const expected = { used: accepted, delivered: accepted }
      const settled = async () => isDeepStrictEqual(await figures(), expected)
      await waitFor(settled, PATIENCE).catch(() => {})
      assert.deepEqual(await figures(), expected)
    }

    /** One message to so many recipients, as far as it is accepted. */
    async function send(client: SmtpClient, load: Load, recipients: number): Promise<void> {
      if (!(await load.mail(client, FROM))) return
      let accepted = 0
      for (let at = 0; at < recipients; at++) {
        if (await load.rcpt(client)) accepted++
      }
      if (accepted === 0) assert.equal((await client.rset()).code, 250)
      else await deliver(client)
    }

    async function deliver(client: SmtpClient): Promise<void> {
      assert.equal((await client.data()).code, 354)
      assert.equal((await client.message()).code, 250)
    }

    /** Messages without end, until the test says so. */
    async function sendUntil(load: Load, stop: AbortSignal): Promise<void> {
      await load.run(async (client) => {
        while (!stop.aborted) await send(client, load, 2)
      })
    }

    /** Lets a load run while `operate` does its work; an error of either ends both. */
    async function during(load: Load, operate: () => Promise<void>): Promise<void> {
      const stop = new AbortController()
      const running = sendUntil(load, stop.signal)
      try {
        await Promise.race([operate(), running.then(() => assert.fail('the load has ended'))])
      } finally {
        stop.abort()
        await running
      }
    }

    function report(t: TestContext, load: Load, text: string): void {
      t.diagnostic(`${text}; ${load.accepted} of ${load.offered} recipients accepted`)
    }

    for (const [name, limits, refusal] of [
      ['restricts', '300/1d', REPLY.blocked],
      ['defers', '300/1d defer', REPLY.deferred],
    ] as const) {
      it(`get as much as a limit allows that ${name}, to the recipient`, async (t) => {
        const tenant = await relay.tenant(`exact-${name}`, { limits })
        const load = new Load(tenant, SESSIONS, [refusal])
        const own = `x@${tenant.domain}`
        await load.run(async (client) => {
          for (let message = 0; message < 4; message++) await send(client, load, 3)
          assert.ok((await client.send({ from: own, to: 'someone@far.example' })).delivered)
        })
        report(t, load, `limit 300`)
        assert.equal(load.accepted, 300)
        await assertSettled(tenant, 300)
        const registered = messages(tenant, own)
        assert.equal(registered.length, SESSIONS)
        const processes = new Set(registered.map(({ pid }) => pid))
        assert.equal(processes.size, Math.max(1, nodes) * hosts, 'processes that took part')
        const restriction = await tenant.restriction()
        assert.equal(restriction?.trigger?.used, name === 'restricts' ? 300 : undefined)
      })
    }

    it('that abort at random hold no more at any time, and nothing in the end', async (t) => {
      const limit = 60
      const seed = Date.now() % 2 ** 31
      const random = randomFrom(seed)
      const tenant = await relay.tenant('aborts', { limits: `${limit}/1d defer` })
      const load = new Load(tenant, SESSIONS, [REPLY.deferred])

      /** Ends a transaction that holds so many recipients; gives the session to go on with. */
      async function end(client: SmtpClient, session: number, held: number): Promise<SmtpClient> {
        const choice = random()
        if (choice < 0.04) {
          await deliver(client)
          return client
        }
        if (choice < 0.08) {
          // Who goes away at the dot does not stop the message; the queue takes it later.
          assert.equal((await client.data()).code, 354)
          await client.messageAndLeave('FIN', LEFT)
          return load.connect(session)
        }
        // Given back from here on; the plugin cannot do so before it knows.
        load.release(held)
        if (choice < 0.6) {
          assert.equal((await client.rset()).code, 250)
          return client
        }
        const how = random() < 0.5 ? 'FIN' : 'RST'
        if (choice < 0.7) {
          await client.quit()
        } else if (choice < 0.85) {
          await client.leave(how)
        } else {
          assert.equal((await client.data()).code, 354)
          client.write('Subject: cut off\r\n\r\nThe first half of')
          await client.leave(how)
        }
        return load.connect(session)
      }

      await load.run(async (first, session) => {
        let client = first
        for (let transaction = 0; transaction < 6; transaction++) {
          assert.ok(await load.mail(client, FROM))
          const recipients = 1 + Math.floor(random() * 4)
          let held = 0
          for (let at = 0; at < recipients; at++) {
            if (!(await load.rcpt(client))) continue
            held++
            assert.ok(load.held <= limit, `${load.held} held of ${limit}, seed ${seed}`)
          }
          if (held === 0) await client.rset()
          else client = await end(client, session, held)
        }
        return client
      })
      for (const host of relay.hosts) host.sink.release(LEFT_SUBJECT)
      report(t, load, `seed ${seed}, limit ${limit}, at most ${load.mostHeld} held`)
      await assertSettled(tenant, load.held)

      // What was given back can be used, to the last one.
      const rest = new Load(tenant, SESSIONS, [REPLY.deferred])
      await rest.run(async (client) => {
        for (let message = 0; message < 2; message++) await send(client, rest, 2)
      })
      assert.equal(load.held + rest.accepted, limit)
      await assertSettled(tenant, limit)
    })

    it('get what is in force while the limit is raised and lowered', async (t) => {
      const tenant = await relay.tenant('changed', { limits: '40/1d defer' })
      const load = new Load(tenant, SESSIONS, [REPLY.deferred])
      const setLimit = (limit: number) =>
        relay.registry.setTenant(tenant.id, { limits: `${limit}/1d defer` })
      const reached = (count: number) => waitFor(() => load.accepted >= count, PATIENCE)
      /** Waits until each session has had the answer to a RCPT that it sends after this. */
      const allAnswered = async () => {
        // The next answer may be to what was sent before, and the one after that to a MAIL.
        const goals = load.answers.map((answers) => answers + 3)
        await waitFor(() => load.answers.every((answers, at) => answers >= goals[at]!), PATIENCE)
      }

      await during(load, async () => {
        await reached(40)
        await allAnswered()
        assert.equal(load.accepted, 40)

        await setLimit(400)
        await reached(150)
        await setLimit(100)
        await allAnswered()
        // More than that had been accepted before; from then on nothing is.
        const { accepted } = load
        assert.ok(accepted >= 150 && accepted <= 400)
        await allAnswered()
        assert.equal(load.accepted, accepted)
        assert.equal(await tenant.used(), accepted)

        await setLimit(accepted + 50)
        await reached(accepted + 50)
        await allAnswered()
        assert.equal(load.accepted, accepted + 50)
        t.diagnostic(`lowered from 400 to 100 at ${accepted}, then raised to ${accepted + 50}`)
      })
      report(t, load, 'limits 40, 400, 100 and more')
      await assertSettled(tenant, load.accepted)
    })

    it('get the limit once for every lift while the tenant trips', async (t) => {
      const limit = 50
      const lifts = 5
      const tenant = await relay.tenant('trips', { limits: `${limit}/1d` })
      const load = new Load(tenant, SESSIONS, [REPLY.blocked])
      await during(load, async () => {
        for (let lift = 0; lift <= lifts; lift++) {
          await waitFor(() => tenant.restriction(), PATIENCE)
          if (lift < lifts) assert.equal(await relay.lift(tenant.id), 'lifted')
        }
      })
      report(t, load, `limit ${limit}, ${lifts} lifts`)
      assert.equal(load.accepted, (lifts + 1) * limit)
      assert.equal(delivered(tenant), load.accepted)
      assert.equal(await tenant.used(), limit)
    })

    it('get no more than the limit between lifts while it is blocked by hand', async (t) => {
      const limit = 400
      const tenant = await relay.tenant('blocked', { limits: `${limit}/1d` })
      const load = new Load(tenant, SESSIONS, [REPLY.blocked])
      const block = () =>
        relay.restrictions.place(tenant.id, { scope: 'unregistered', by: 'test', reason: 'test' })
      const used: number[] = []
      let forgotten = 0
      await during(load, async () => {
        for (let round = 0; round < 6; round++) {
          const keepUsage = round % 2 === 0
          const goal = load.accepted + 20
          const tripped = () => tenant.restriction()
          await waitFor(async () => load.accepted >= goal || (await tripped()), PATIENCE)
          await block()
          const before = await tenant.used()
          used.push(before)
          assert.ok(before <= limit)
          assert.equal(await relay.lift(tenant.id, { keepUsage }), 'lifted')
          if (!keepUsage) forgotten += before
        }
        await waitFor(() => tenant.restriction(), PATIENCE)
      })
      report(t, load, `limit ${limit}, used at each block ${used.join(' ')}`)
      assert.equal((await tenant.restriction())?.by, 'automatic')
      assert.equal(await tenant.used(), limit)
      assert.equal(load.accepted, forgotten + limit)
      assert.equal(delivered(tenant), load.accepted)
    })
  })
}
