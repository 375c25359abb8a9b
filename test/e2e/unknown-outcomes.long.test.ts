import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import {
  formatMessage,
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type TestTenant,
} from '../support'
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

/** What happens to commands in flight until the connection is released. */
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
    // Once it accepts again, the waiting refunds have been sent.
    const { accepted } = load
    await waitFor(() => load.accepted > accepted + SESSIONS || hasTripped(load), PATIENCE)
  },
} satisfies Record<string, (way: RedisProxy, load: Load) => Promise<void>>

function someHeld(way: RedisProxy, load: Load): Promise<true> {
  return waitFor(() => way.held >= 2 || hasTripped(load), PATIENCE)
}

/** Waits until one recipient a session was undecidable. */
async function someUndecided(load: Load): Promise<void> {
  const goal = load.refusedWith(REPLY.undecidable) + SESSIONS
  const reached = () => load.refusedWith(REPLY.undecidable) >= goal
  await waitFor(() => reached() || hasTripped(load), PATIENCE)
}

/** From then on Redis gets no commands. */
function hasTripped(load: Load): boolean {
  return load.refusedWith(REPLY.blocked) > 0
}

/** Lets mail flow for a while before the next trouble. */
async function goOn(load: Load): Promise<void> {
  const { offered } = load
  await waitFor(() => load.offered > offered + 2 * SESSIONS || hasTripped(load), PATIENCE)
}

describe(`${SESSIONS} sessions on two workers, on a bad connection to Redis,`, () => {
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
    it(`are counted at most once with ${what}`, async (t) => {
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

      // Undecided recipients use nothing of the limit: all of it can be used.
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

/** A class of mail that is counted. */
interface MailOfClass {
  /** `registered`: an accepted domain of the tenant, with another one in From. */
  readonly from: string
  readonly meter: 'unregistered' | 'null'
  /** The tenant has an allowance for forwards. */
  readonly forwards?: boolean
}

const CLASSES: Readonly<Record<string, MailOfClass>> = {
  registered: { from: 'registered', meter: 'unregistered' },
  'registered-forwards': { from: 'registered', meter: 'unregistered', forwards: true },
  unregistered: { from: FROM, meter: 'unregistered' },
  foreign: { from: 'x@first.example', meter: 'unregistered' },
  'perhaps-forwarded': { from: FROM, meter: 'unregistered', forwards: true },
  null: { from: '', meter: 'null' },
  'null-forwards': { from: '', meter: 'null', forwards: true },
}

/** What happens to the command that counts a recipient, and whether Redis has counted it. */
const OUTCOMES = {
  'the answer lost': { hold: 'hold', end: 'cut', isCounted: true },
  'the answer late': { hold: 'hold', end: 'release', isCounted: true },
  'the command lost': { hold: 'holdCommands', end: 'cut', isCounted: false },
  'the command late': { hold: 'holdCommands', end: 'release', isCounted: false },
} as const

/** A message to one recipient, in two parts: the last command of the first part has it counted. */
async function startMessage(tenant: TestTenant, { from }: MailOfClass, sink: string) {
  const client = await tenant.connect()
  const isRegistered = from === 'registered'
  const sender = isRegistered ? `ann@${tenant.domain}` : from
  assert.equal((await client.mail(sender)).code, 250)
  const rcpt = async () => assert.equal((await client.rcpt('a@far.example')).code, 250)
  const data = async () => assert.equal((await client.data()).code, 354)
  const message = async () => {
    const text = formatMessage({
      ...{ from: FROM, to: 'a@far.example', headers: { 'X-Sink': sink } },
    })
    assert.equal((await client.message(text)).code, sink === 'refuse' ? 550 : 250)
  }
  if (!isRegistered) return { count: rcpt, finish: () => data().then(message) }
  await rcpt()
  await data()
  return { count: message, finish: () => Promise.resolve() }
}

describe('with [outage] unregistered=accept, and an allowance for forwards,', () => {
  let relay: TestRelay
  let way: RedisProxy
  before(async () => {
    const redis = await startRedis()
    way = await startRedisProxy(redis.port)
    const settings = {
      redis: { command_timeout: COMMAND_TIMEOUT },
      outage: { unregistered: 'accept' },
      header_from: { check: 'charge' },
      forwarded: { enabled: true },
    }
    relay = new TestRelay(redis, [await startHaraka({ redis: way, settings })])
    // Before its first charge the process reads the time, which would be held too.
    await (await relay.tenant('first')).send({ from: FROM, to: 'a@far.example' })
  })
  afterEach(() => way.release())
  after(async () => {
    await relay.stop()
    await way.stop()
  })

  for (const [outcome, { hold, end, isCounted }] of Object.entries(OUTCOMES)) {
    it(`counts mail of each class on its own meter, at most once, with ${outcome}`, async () => {
      const cases = await Promise.all(
        Object.entries(CLASSES).flatMap(([name, mail]) =>
          ['deliver', 'refuse'].map(async (sink) => {
            const id = `${name}-${sink}-${outcome.replaceAll(' ', '-')}`
            const tenant = await relay.tenant(id, {
              ...{ limits: '9/1d', nullLimits: '9/1d' },
              ...(mail.forwards && { forwardedLimits: '9/1d' }),
            })
            return { name, mail, sink, tenant, message: await startMessage(tenant, mail, sink) }
          }),
        ),
      )
      way[hold]()
      await Promise.all(cases.map(({ message }) => message.count()))
      way[end]()
      if (end === 'cut') way.release()
      // On the same connection, after all that was late.
      const marker = await relay.tenant(`marker-${outcome.replaceAll(' ', '-')}`)
      await waitFor(async () => {
        await marker.send({ from: '', to: 'a@far.example' })
        return (await marker.used('null')) > 0
      }, PATIENCE)
      await Promise.all(cases.map(({ message }) => message.finish()))

      const expected = cases.map(({ name, mail, sink }) => {
        // A possible forward is counted when its message is there, with or without its hold.
        const counted = sink === 'deliver' && (isCounted || name === 'perhaps-forwarded') ? 1 : 0
        const other = mail.meter === 'null' ? 'unregistered' : 'null'
        return { name, sink, [mail.meter]: counted, [other]: 0, held: 0 }
      })
      const found = () =>
        Promise.all(
          cases.map(async ({ name, sink, tenant }) => ({
            ...{ name, sink, unregistered: await tenant.used(), null: await tenant.used('null') },
            held: await tenant.held(),
          })),
        )
      await waitFor(async () => isDeepStrictEqual(await found(), expected), PATIENCE).catch(
        () => {},
      )
      assert.deepEqual(await found(), expected)
    })
  }

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

  it('a message that is finally refused leaves neither', async () => {
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
