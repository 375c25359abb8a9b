import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startHaraka, startRedis, TestRelay, waitFor } from '../support'
import { during, Load, randomFrom } from '../support/load'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'
import { REPLY } from '../support/replies'
import {
  assertSettled,
  FROM,
  LEFT_SUBJECT,
  sendTo,
  transactAtRandom,
} from '../support/transactions'

const SESSIONS = 24
/** ms; short, since answers are to come later than that. */
const COMMAND_TIMEOUT = 400
const ROUNDS = 3
const PATIENCE = { timeout: 60_000 }

/** What befalls commands that are on their way, until the way is released. */
const TROUBLES = {
  async 'answers that are lost'(way, load) {
    way.hold()
    await someHeld(way, load)
    way.cut()
    await someUndecided(load)
  },
  async 'answers that come too late'(way, load) {
    way.hold()
    await someUndecided(load)
  },
  async 'commands that come too late'(way, load) {
    way.holdCommands()
    await someUndecided(load)
  },
  async 'commands that are lost'(way, load) {
    way.holdCommands()
    await someHeld(way, load)
    way.cut()
    await someUndecided(load)
  },
  async 'commands that come when all is settled'(way, load) {
    way.holdCommands()
    await someHeld(way, load)
    way.strand()
    // Once it accepts again, the refunds that had waited have been sent.
    const { accepted } = load
    await waitFor(() => load.accepted > accepted + SESSIONS || hasTripped(load), PATIENCE)
  },
} satisfies Record<string, (way: RedisProxy, load: Load) => Promise<void>>

function someHeld(way: RedisProxy, load: Load): Promise<true> {
  return waitFor(() => way.held >= 2 || hasTripped(load), PATIENCE)
}

/** Waits until as many recipients as there are sessions could not be decided. */
async function someUndecided(load: Load): Promise<void> {
  const goal = load.refusedWith(REPLY.undecidable) + SESSIONS
  const reached = () => load.refusedWith(REPLY.undecidable) >= goal
  await waitFor(() => reached() || hasTripped(load), PATIENCE)
}

/** Then Redis is asked no more. */
function hasTripped(load: Load): boolean {
  return load.refusedWith(REPLY.blocked) > 0
}

/** Lets mail come for a while, before the next trouble. */
async function goOn(load: Load): Promise<void> {
  const { offered } = load
  await waitFor(() => load.offered > offered + 2 * SESSIONS || hasTripped(load), PATIENCE)
}

describe(`${SESSIONS} sessions on two workers, on a bad way to Redis,`, () => {
  let relay: TestRelay
  let way: RedisProxy
  before(async () => {
    const redis = await startRedis()
    way = await startRedisProxy(redis.port)
    const settings = { redis: { command_timeout: COMMAND_TIMEOUT } }
    relay = new TestRelay(redis, [await startHaraka({ redis: way, nodes: 2, settings })])
  })
  afterEach(() => way.release())
  after(async () => {
    await relay.stop()
    await way.stop()
  })

  for (const [what, trouble] of Object.entries(TROUBLES)) {
    it(`are counted once, or not at all, with ${what}`, async (t) => {
      const limit = 60
      const seed = Date.now() % 2 ** 31
      const random = randomFrom(seed)
      const tenant = await relay.tenant(what.replaceAll(' ', '-'), { limits: `${limit}/1d defer` })
      const load = new Load(tenant, SESSIONS, [REPLY.deferred, REPLY.undecidable])
      const work = transactAtRandom.bind(undefined, load, { limit, random })
      await during(load, work, async () => {
        for (let round = 0; round < ROUNDS; round++) {
          await goOn(load)
          await trouble(way, load)
          way.release()
        }
      })
      const undecided = load.refusedWith(REPLY.undecidable)
      t.diagnostic(
        `seed ${seed}, limit ${limit}, at most ${load.mostHeld} held; ` +
          `${load.accepted} of ${load.offered} recipients accepted, ${undecided} undecided`,
      )
      relay.haraka.sink.release(LEFT_SUBJECT)
      await assertSettled(tenant, load.held)

      // What could not be decided takes no room: the limit can be used to the last recipient.
      const rest = new Load(tenant, 1, [REPLY.deferred, REPLY.undecidable])
      await rest.run(async (client) => {
        while (rest.refusedWith(REPLY.deferred) === 0) await sendTo(10, client, rest)
      })
      assert.equal(load.held + rest.accepted, limit)
      await assertSettled(tenant, limit)
    })
  }

  it('get no more than the limit until the tenant trips, with all of these', async (t) => {
    const limit = 400
    const tenant = await relay.tenant('trips', { limits: `${limit}/1d` })
    const load = new Load(tenant, SESSIONS, [REPLY.blocked, REPLY.undecidable])
    await during(
      load,
      (client) => sendTo(2, client, load),
      async () => {
        for (const trouble of Object.values(TROUBLES)) {
          await goOn(load)
          await trouble(way, load)
          way.release()
        }
        await waitFor(() => tenant.restriction(), PATIENCE)
      },
    )
    const undecided = load.refusedWith(REPLY.undecidable)
    t.diagnostic(`limit ${limit}, ${load.accepted} accepted, ${undecided} undecided`)
    assert.ok(load.accepted <= limit)
    await assertSettled(tenant, load.accepted)
    assert.equal((await tenant.send({ from: FROM, to: 'a@far.example' })).last.raw, REPLY.blocked)
  })
})

describe('with [outage] unregistered=accept, and an allowance for forwards,', () => {
  let relay: TestRelay
  let way: RedisProxy
  before(async () => {
    const redis = await startRedis()
    way = await startRedisProxy(redis.port)
    const settings = {
      redis: { command_timeout: COMMAND_TIMEOUT },
      outage: { unregistered: 'accept' },
    }
    relay = new TestRelay(redis, [await startHaraka({ redis: way, settings })])
    // Before its first charge the process asks for the time, which would be held, too.
    await (await relay.tenant('first')).send({ from: FROM, to: 'a@far.example' })
  })
  afterEach(() => way.release())
  after(async () => {
    await relay.stop()
    await way.stop()
  })

  for (const when of ['RCPT', 'the end of DATA'] as const) {
    it(`a message without an answer at ${when} passes, is counted once, and leaves no hold`, async () => {
      const limits = { limits: '9/1d', forwardedLimits: '9/1d' }
      const tenant = await relay.tenant(when === 'RCPT' ? 'at-rcpt' : 'at-data', limits)
      const client = await tenant.connect()
      assert.equal((await client.mail(FROM)).code, 250)
      if (when === 'RCPT') way.hold()
      assert.equal((await client.rcpt('a@far.example')).code, 250)
      assert.equal((await client.rcpt('b@far.example')).code, 250)
      assert.equal(await relay.held(tenant.id), 2)
      if (when === 'RCPT') way.release()
      else way.holdCommands()
      assert.equal((await client.data()).code, 354)
      assert.equal((await client.message()).code, 250)
      if (when !== 'RCPT') way.release()
      await client.quit()
      await assertSettled(tenant, 2)
      await waitFor(async () => (await relay.held(tenant.id)) === 0)
    })
  }

  it('a message that nobody takes in the end leaves neither', async () => {
    const tenant = await relay.tenant('left', { limits: '9/1d', forwardedLimits: '9/1d' })
    const client = await tenant.connect()
    assert.equal((await client.mail(FROM)).code, 250)
    way.hold()
    assert.equal((await client.rcpt('a@far.example')).code, 250)
    assert.equal(await relay.held(tenant.id), 1)
    way.release()
    assert.equal((await client.rset()).code, 250)
    await waitFor(async () => (await relay.held(tenant.id)) === 0)
    assert.equal(await tenant.used(), 0)
    await client.quit()
  })
})
