import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { tenantctl } from '../cli/cli'
import { startRelay, waitFor, type TestRelay } from '../support'
import { during, Load, randomFrom } from '../support/load'
import { REPLY } from '../support/replies'
import {
  assertSettled,
  delivered,
  LEFT_SUBJECT,
  messagesOf,
  sendTo,
  transactAtRandom,
} from '../support/transactions'

const SESSIONS = 60
const PATIENCE = { timeout: 30_000 }

const SITES = [
  { what: 'four workers of a Haraka', nodes: 4, hosts: 1 },
  { what: 'two Harakas on one Redis', nodes: 0, hosts: 2 },
]

for (const { what, nodes, hosts } of SITES) {
  describe(`${SESSIONS} sessions on ${what}`, () => {
    let relay: TestRelay
    before(async () => {
      // On a busy machine Redis may be slow, which is not tested here.
      const settings = { redis: { command_timeout: 10_000 } }
      relay = await startRelay({ nodes, hosts, settings })
    })
    after(() => relay.stop())

    /** tenantctl, run by an operator while mail comes. */
    async function operate(...command: string[]): Promise<void> {
      const run = await tenantctl(['--redis', relay.redis.url, ...command])
      assert.equal(run.status, 0, run.err)
    }

    /** Sends messages to two recipients until `operate` is done. */
    function whileSending(load: Load, operate: () => Promise<void>): Promise<void> {
      return during(load, (client) => sendTo(2, client, load), operate)
    }

    function report(t: TestContext, load: Load, text: string): void {
      t.diagnostic(`${text}; ${load.accepted} of ${load.offered} recipients accepted`)
    }

    for (const [name, limits, refusal] of [
      ['restricts', '300/1d', REPLY.blocked],
      ['defers', '300/1d defer', REPLY.deferred],
    ] as const) {
      it(`get exactly what a limit allows that ${name}`, async (t) => {
        const tenant = await relay.tenant(`exact-${name}`, { limits })
        const load = new Load(tenant, SESSIONS, [refusal])
        const own = `x@${tenant.domain}`
        await load.run(async (client) => {
          for (let message = 0; message < 4; message++) await sendTo(3, client, load)
          assert.ok((await client.send({ from: own, to: 'someone@far.example' })).delivered)
        })
        report(t, load, `limit 300`)
        assert.equal(load.accepted, 300)
        await assertSettled(tenant, 300)
        const registered = messagesOf(tenant, own)
        assert.equal(registered.length, SESSIONS)
        const processes = new Set(registered.map(({ pid }) => pid))
        assert.equal(processes.size, Math.max(1, nodes) * hosts, 'processes that took part')
        const restriction = await tenant.restriction()
        assert.equal(restriction?.trigger?.used, name === 'restricts' ? 300 : undefined)
      })
    }

    it('that abort at random never exceed the limit, and hold nothing in the end', async (t) => {
      const limit = 60
      const seed = Date.now() % 2 ** 31
      const random = randomFrom(seed)
      const tenant = await relay.tenant('aborts', { limits: `${limit}/1d defer` })
      const load = new Load(tenant, SESSIONS, [REPLY.deferred])

      await load.run(async (first, session) => {
        let client = first
        for (let transaction = 0; transaction < 6; transaction++) {
          client = await transactAtRandom(load, { limit, random }, client, session)
        }
        return client
      })
      for (const host of relay.hosts) host.sink.release(LEFT_SUBJECT)
      report(t, load, `seed ${seed}, limit ${limit}, at most ${load.mostHeld} held`)
      await assertSettled(tenant, load.held)

      // All refunded recipients can be used again.
      const rest = new Load(tenant, SESSIONS, [REPLY.deferred])
      await rest.run(async (client) => {
        for (let message = 0; message < 2; message++) await sendTo(2, client, rest)
      })
      assert.equal(load.held + rest.accepted, limit)
      await assertSettled(tenant, limit)
    })

    it('that abort at random never exceed the limit while they trip and are unblocked', async (t) => {
      const limit = 60
      const unblocks = 4
      const seed = Date.now() % 2 ** 31
      const tenant = await relay.tenant('aborts-trip', { limits: `${limit}/1d` })
      const load = new Load(tenant, SESSIONS, [REPLY.blocked])
      const work = transactAtRandom.bind(undefined, load, { limit, random: randomFrom(seed) })
      await during(load, work, async () => {
        for (let unblock = 0; unblock < unblocks; unblock++) {
          await waitFor(() => tenant.restriction(), PATIENCE)
          await operate('unblock', tenant.id, '--reason', 'test', '--keep-usage')
        }
      })
      for (const host of relay.hosts) host.sink.release(LEFT_SUBJECT)
      report(t, load, `seed ${seed}, limit ${limit}, at most ${load.mostHeld} held`)
      await assertSettled(tenant, load.held)
    })

    it('get the limit in effect while it is raised and lowered', async (t) => {
      const tenant = await relay.tenant('changed', { limits: '40/1d defer' })
      const load = new Load(tenant, SESSIONS, [REPLY.deferred])
      const setLimit = (limit: number) =>
        operate('tenant', 'set', tenant.id, '--limits', `${limit}/1d defer`)

      await whileSending(load, async () => {
        await reached(load, 40)
        await allAnswered(load)
        assert.equal(load.accepted, 40)

        await setLimit(4000)
        await reached(load, 150)
        await setLimit(100)
        await allAnswered(load)
        // More had been accepted before; nothing is accepted after.
        const { accepted } = load
        assert.ok(accepted >= 150 && accepted <= 4000)
        await allAnswered(load)
        assert.equal(load.accepted, accepted)
        assert.equal(await tenant.used(), accepted)

        await setLimit(accepted + 50)
        await reached(load, accepted + 50)
        await allAnswered(load)
        assert.equal(load.accepted, accepted + 50)
        t.diagnostic(`lowered from 4000 to 100 at ${accepted}, then raised to ${accepted + 50}`)
      })
      report(t, load, 'limits 40, 4000, 100 and more')
      await assertSettled(tenant, load.accepted)
    })

    it('trip at once where the limit is lowered below what is counted', async (t) => {
      const tenant = await relay.tenant('lowered', { limits: '4000/1d' })
      const load = new Load(tenant, SESSIONS, [REPLY.blocked])
      const setLimit = (limit: number) =>
        operate('tenant', 'set', tenant.id, '--limits', `${limit}/1d`)

      await whileSending(load, async () => {
        await reached(load, 150)
        await setLimit(100)
        const restriction = await waitFor(() => tenant.restriction(), PATIENCE)
        await allAnswered(load)
        const { accepted } = load
        assert.equal(restriction.trigger?.used, accepted)
        assert.equal(await tenant.used(), accepted)

        await setLimit(accepted + 50)
        await operate('unblock', tenant.id, '--reason', 'test', '--keep-usage')
        await reached(load, accepted + 50)
        await waitFor(() => tenant.restriction(), PATIENCE)
        await allAnswered(load)
        assert.equal(load.accepted, accepted + 50)
        t.diagnostic(`lowered from 4000 to 100 at ${accepted}, then raised to ${accepted + 50}`)
      })
      report(t, load, 'limits 4000, 100 and more')
      await assertSettled(tenant, load.accepted)
    })

    it('get the limit once for every lift while the tenant trips', async (t) => {
      const limit = 50
      const lifts = 5
      const tenant = await relay.tenant('trips', { limits: `${limit}/1d` })
      const load = new Load(tenant, SESSIONS, [REPLY.blocked])
      await whileSending(load, async () => {
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

    it('neither lose nor repeat charges while the tenant is blocked by hand', async (t) => {
      // Far away, so that the blocks come first.
      const limit = 10_000
      const tenant = await relay.tenant('blocked', { limits: `${limit}/1d` })
      const load = new Load(tenant, SESSIONS, [REPLY.blocked])
      const used: number[] = []
      let forgotten = 0
      await whileSending(load, async () => {
        for (const keep of [['--keep-usage'], [], ['--keep-usage']]) {
          await reached(load, load.accepted + 20)
          await operate('block', tenant.id, '--reason', 'test')
          const before = await tenant.used()
          used.push(before)
          await operate('unblock', tenant.id, '--reason', 'test', ...keep)
          if (keep.length === 0) forgotten += before
        }
        await reached(load, load.accepted + 20)
        await operate('block', tenant.id, '--reason', 'test')
        await allAnswered(load)
        used.push(await tenant.used())
      })
      report(t, load, `limit ${limit}, used at each block ${used.join(' ')}`)
      assert.equal(load.accepted, forgotten + (used.at(-1) ?? 0))
      assert.equal(await tenant.used(), used.at(-1))
      assert.equal(delivered(tenant), load.accepted)
    })
  })
}

function reached(load: Load, count: number): Promise<true> {
  return waitFor(() => load.accepted >= count, PATIENCE)
}

/** Waits until each session has an answer to a RCPT, or to a refused MAIL, sent after this call. */
async function allAnswered(load: Load): Promise<void> {
  // The next answer may be to an earlier command, and the one after that to a MAIL.
  const goals = load.answers.map((answers) => answers + 3)
  await waitFor(() => load.answers.every((answers, at) => answers >= goals[at]!), PATIENCE)
}
