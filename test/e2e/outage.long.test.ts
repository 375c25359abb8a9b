import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import {
  newAddress,
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type StartHarakaOptions,
  type StartRedisOptions,
  type TestHaraka,
  type TestRedis,
  type TestTenant,
} from '../support'
import { startRedisProxy } from '../support/redis-proxy'
import { REPLY } from '../support/replies'

/** A sender domain that belongs to no tenant. */
const UNREGISTERED = 'someone@elsewhere.example'
const RECIPIENT = 'rcpt@far.example'
const OUTSIDE_OF_ACL = '127.88.0.1'

// Long enough for a machine under load, short enough to wait for.
const PATIENT = { redis: { command_timeout: 1000 } }

// Persistent, so that a killed Redis comes back with what it had.
const DURABLE = ['--appendonly', 'yes']

describe('Redis is away', { concurrency: 2 }, () => {
  for (const [how, away, back] of [
    ['absent', (redis) => redis.kill(), (redis) => redis.restart()],
    ['paused', (redis) => redis.pause(), (redis) => redis.resume()],
  ] as const satisfies [string, Act, Act][]) {
    test(`${how} when Haraka starts: sessions that do not relay are served, and it recovers by itself`, async (t) => {
      const redis = await redisFor(t)
      await away(redis)
      const haraka = await harakaFor(t, {
        redis,
        ready: false,
        nodes: 2,
        settings: PATIENT,
        plugins: ['relay', 'rcpt_to.in_host_list', 'unregistered-domain', 'test_sink'],
        relayFrom: ['127.77.0.0/16'],
        config: { host_list: 'local.example\n' },
      })

      // All of this is answered while Redis is away.
      const local = { from: UNREGISTERED, to: 'me@local.example' }
      const outside = { localAddress: OUTSIDE_OF_ACL }
      const client = await haraka.connect(outside)
      assert.equal(client.greeting.code, 220)
      assert.equal((await client.send(local)).delivered, true)
      const abuse = await client.send({ from: UNREGISTERED, to: RECIPIENT })
      assert.equal(String(abuse.last), `550 I cannot deliver mail for <${RECIPIENT}>`)
      await client.quit()
      const [delivered] = haraka.sink.messages()
      assert.deepEqual([delivered?.hook, delivered?.note], ['queue', undefined])

      const relaying = await haraka.connect({ localAddress: newAddress() })
      assert.equal(relaying.greeting.code, 220)
      for (const from of [UNREGISTERED, 'a@contoso.example', '']) {
        assert.equal((await relaying.mail(from)).raw, REPLY.undecidable)
      }

      await back(redis)
      const contoso = await new TestRelay(redis, [haraka]).tenant('contoso')
      await delivers(contoso, UNREGISTERED)
      assert.equal(await contoso.used(), 1)
      // The session from before has recovered too.
      assert.equal((await relaying.mail(UNREGISTERED)).code, 250)
      await relaying.quit()
      unharmed(haraka)
    })
  }

  test('killed: cached facts apply, other mail waits, and the counts are right afterwards', async (t) => {
    const relay = await relayFor(t, { nodes: 2 }, { args: DURABLE })
    const { redis, haraka } = relay
    const contoso = await relay.tenant('contoso', { limits: '10/1h' })
    const fabrikam = await relay.tenant('fabrikam')
    await block(relay, fabrikam, 2)

    const taken = await contoso.connect()
    const aborted = await contoso.connect()
    const left = await contoso.connect()
    for (const client of [taken, aborted, left]) {
      await client.mail(UNREGISTERED)
      assert.equal((await client.rcpt(RECIPIENT)).code, 250)
    }
    assert.equal(await contoso.used(), 3)
    const processes = await pids(contoso)

    await redis.kill()
    // Twice, so that both workers are asked.
    for (let turn = 1; turn <= processes.length; turn++) {
      await delivers(contoso, 'a@contoso.example')
      await delivers(fabrikam, 'a@fabrikam.example')
      assert.equal(await reply(contoso, UNREGISTERED), REPLY.undecidable)
      assert.equal(await reply(contoso, ''), REPLY.undecidable)
      assert.equal(await reply(fabrikam, UNREGISTERED), REPLY.blocked)
    }
    await taken.data()
    assert.equal((await taken.message()).code, 250)
    assert.equal((await aborted.rset()).code, 250)
    await left.leave()

    await redis.restart()
    await recovers(contoso)
    // The one accepted while Redis was away, and the one that showed that it is back.
    await waitFor(async () => (await contoso.used()) === 2, { what: 'the refunds have settled' })
    assert.equal(await contoso.restriction(), undefined)
    assert.equal(await reply(fabrikam, UNREGISTERED), REPLY.blocked)
    // Changes reach both workers again.
    await lift(relay, fabrikam, 2)
    await delivers(fabrikam, UNREGISTERED)

    assert.deepEqual(await pids(contoso), processes)
    await Promise.all([taken.quit(), aborted.quit()])
    unharmed(haraka)
  })

  test('paused: registered mail passes, and demand above the limit does not trip', async (t) => {
    const relay = await relayFor(t, {
      settings: PATIENT,
      users: { 'carol@contoso.example': 'secret' },
    })
    const { redis, haraka } = relay
    const contoso = await relay.tenant('contoso', { limits: '3/1h' })
    const fabrikam = await relay.tenant('fabrikam')
    await block(relay, fabrikam)
    const carol = {
      localAddress: OUTSIDE_OF_ACL,
      auth: { user: 'carol@contoso.example', password: 'secret' },
    }
    await haraka.attributed(carol, null, 'carol@contoso.example')
    const aborted = await contoso.connect()
    await aborted.mail(UNREGISTERED)
    assert.equal((await aborted.rcpt(RECIPIENT)).code, 250)

    redis.pause()
    await delivers(contoso, 'a@contoso.example')
    await delivers(fabrikam, 'a@fabrikam.example')
    const byUser = { from: 'carol@contoso.example', to: RECIPIENT, session: carol }
    assert.equal((await haraka.send(byUser)).delivered, true)
    assert.deepEqual(haraka.sink.messages().at(-1)?.note, {
      tenant: 'contoso',
      connector: null,
      class: 'registered',
    })
    assert.equal(await reply(fabrikam, UNREGISTERED), REPLY.blocked)
    assert.equal((await aborted.rset()).code, 250)
    const answers = Array.from({ length: 8 }, () => reply(contoso, UNREGISTERED))
    assert.deepEqual(new Set(await Promise.all(answers)), new Set([REPLY.undecidable]))

    redis.resume()
    await recovers(contoso)
    await waitFor(async () => (await contoso.used()) === 1, { what: 'the refunds have settled' })
    assert.equal(await contoso.restriction(), undefined)
    // The allowance is unchanged.
    await delivers(contoso, UNREGISTERED)
    await delivers(contoso, UNREGISTERED)
    assert.equal(await reply(contoso, UNREGISTERED), REPLY.blocked)
    await aborted.quit()
    unharmed(haraka)
  })

  test('paused before the first charge of a process: demand during the pause does not trip', async (t) => {
    const relay = await relayFor(t, { settings: PATIENT })
    const contoso = await relay.tenant('contoso', { limits: '1/1h' })
    relay.redis.pause()
    const answers = Array.from({ length: 4 }, () => reply(contoso, UNREGISTERED))
    assert.deepEqual(new Set(await Promise.all(answers)), new Set([REPLY.undecidable]))
    relay.redis.resume()
    await recovers(contoso)
    assert.equal(await contoso.restriction(), undefined)
    assert.equal(await contoso.used(), 1)
    unharmed(relay.haraka)
  })

  test('[outage] unregistered=accept: unregistered mail passes uncounted unless the tenant is restricted', async (t) => {
    const settings = { ...PATIENT, outage: { unregistered: 'accept' } }
    const relay = await relayFor(t, { settings }, { args: DURABLE })
    const { redis, haraka } = relay
    const contoso = await relay.tenant('contoso', { limits: '2/1h' })
    const fabrikam = await relay.tenant('fabrikam')
    await block(relay, fabrikam)
    await delivers(contoso, UNREGISTERED)

    for (const [away, back] of [
      [() => redis.pause(), () => redis.resume()],
      [() => redis.kill(), () => redis.restart()],
    ] as const) {
      await away()
      const mails = Array.from({ length: 3 }, () => delivers(contoso, UNREGISTERED))
      await Promise.all(mails)
      await delivers(contoso, 'a@contoso.example')
      assert.equal(await reply(fabrikam, UNREGISTERED), REPLY.blocked)
      await back()
      await waitFor(() => follows(redis))
    }
    assert.equal(await contoso.restriction(), undefined)
    assert.equal(await contoso.used(), 1)
    await countsAgain(contoso)
    assert.equal(await reply(contoso, UNREGISTERED), REPLY.blocked)
    unharmed(haraka)
  })

  for (const unregistered of ['tempfail', 'accept'] as const) {
    test(`counted, but the answer is lost, with ${unregistered}: counted once, and refunded once`, async (t) => {
      const redis = await redisFor(t)
      const way = await startRedisProxy(redis.port)
      t.after(() => way.stop())
      const settings = { ...PATIENT, outage: { unregistered } }
      const haraka = await harakaFor(t, { redis: way, settings })
      const relay = new TestRelay(redis, [haraka])
      const contoso = await relay.tenant('contoso')
      await delivers(contoso, UNREGISTERED)
      const client = await contoso.connect()
      await client.mail(UNREGISTERED)

      way.hold()
      const answer = client.rcpt(RECIPIENT)
      await waitFor(async () => (await contoso.used()) === 2, { what: 'the recipient is counted' })
      const accepts = unregistered === 'accept'
      assert.equal((await answer).code, accepts ? 250 : 451)
      if (accepts) assert.equal(await contoso.used(), 2)
      await client.rset()
      if (accepts) await delivers(contoso, UNREGISTERED)
      const expected = accepts ? 2 : 1
      await waitFor(async () => (await contoso.used()) === expected, { what: 'given back' })
      const before = await receipts(redis)
      way.cut()
      way.release()

      // The refund got no answer, so it comes again.
      const isRenewed = async (): Promise<boolean> =>
        [...(await receipts(redis))].some(([key, end]) => end > (before.get(key) ?? Infinity))
      await waitFor(isRenewed, { what: 'it is sent again' })
      assert.equal(await contoso.used(), expected)
      await countsAgain(contoso)
      await client.quit()
      unharmed(haraka)
    })
  }

  test('a dead connection that is not closed: it is replaced', async (t) => {
    const redis = await redisFor(t)
    const way = await startRedisProxy(redis.port)
    t.after(() => way.stop())
    const haraka = await harakaFor(t, { redis: way, settings: { redis: { command_timeout: 200 } } })
    const relay = new TestRelay(redis, [haraka])
    const contoso = await relay.tenant('contoso')

    way.freeze()
    await delivers(contoso, 'a@contoso.example')
    assert.equal(await reply(contoso, UNREGISTERED), REPLY.undecidable)
    await recovers(contoso)
    assert.equal(await contoso.used(), 1)
    unharmed(haraka)
  })

  test('SCRIPT FLUSH, and CLIENT KILL of both connections: mail is not affected', async (t) => {
    const relay = await relayFor(t)
    const { redis, haraka } = relay
    const contoso = await relay.tenant('contoso')
    await delivers(contoso, UNREGISTERED)
    const operator = redis.client()

    await operator.script('FLUSH')
    await delivers(contoso, UNREGISTERED)

    const connections = await ourConnections(redis)
    assert.equal(connections.length, 2)
    await Promise.all([
      ...connections.map((id) => operator.call('CLIENT', 'KILL', 'ID', id)),
      // No process is subscribed at this moment.
      block(relay, contoso),
      delivers(contoso, 'a@contoso.example'),
    ])
    await waitFor(() => follows(redis))
    assert.equal(await reply(contoso, UNREGISTERED), REPLY.blocked)
    const from = haraka.log.length
    await lift(relay, contoso)
    await haraka.waitForLog(/\baudit\b.*subject=contoso.*restriction lifted/, { from })
    await delivers(contoso, UNREGISTERED)
    const anew = await ourConnections(redis)
    assert.deepEqual([anew.length, anew.filter((id) => connections.includes(id))], [2, []])
    unharmed(haraka)
  })
})

type Act = (redis: TestRedis) => void | Promise<void>

async function redisFor(t: TestContext, options: StartRedisOptions = {}): Promise<TestRedis> {
  const redis = await startRedis(options)
  t.after(() => redis.stop())
  return redis
}

async function harakaFor(t: TestContext, options: StartHarakaOptions): Promise<TestHaraka> {
  const haraka = await startHaraka(options)
  t.after(() => haraka.stop())
  return haraka
}

async function relayFor(
  t: TestContext,
  options: StartHarakaOptions = {},
  redisOptions: StartRedisOptions = {},
): Promise<TestRelay> {
  const redis = await redisFor(t, redisOptions)
  return new TestRelay(redis, [await harakaFor(t, { ...options, redis })])
}

/** Restricts by hand, and waits until all processes know it. */
async function block(relay: TestRelay, { id }: TestTenant, processes = 1): Promise<void> {
  const from = relay.haraka.log.length
  await relay.restrictions.place(id, { scope: 'unregistered', reason: 'abuse', by: 'test' })
  await logged(relay.haraka, from, new RegExp(`\\bblocked\\b.*${id}`, 'g'), processes)
}

async function lift(relay: TestRelay, { id }: TestTenant, processes = 1): Promise<void> {
  const from = relay.haraka.log.length
  await relay.lift(id)
  await logged(relay.haraka, from, new RegExp(`\\bunblocked\\b.*${id}`, 'g'), processes)
}

async function logged(
  haraka: TestHaraka,
  from: number,
  line: RegExp,
  times: number,
): Promise<void> {
  const count = () => haraka.log.slice(from).match(line)?.length ?? 0
  await waitFor(() => count() === times, { what: `${String(line)} is logged ${times} times` })
}

/** The first negative answer to a message, or the last one, as it came. */
async function reply(tenant: TestTenant, from: string): Promise<string> {
  return (await tenant.send({ from, to: RECIPIENT })).last.raw
}

async function delivers(tenant: TestTenant, from: string): Promise<void> {
  const { delivered, last } = await tenant.send({ from, to: RECIPIENT })
  assert.equal(delivered, true, `${from} of ${tenant.id}: ${String(last)}`)
}

/** Waits until unregistered mail is accepted again, which counts one recipient. */
async function recovers(tenant: TestTenant): Promise<void> {
  await waitFor(async () => {
    const sent = await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    if (!sent.delivered) assert.equal(sent.last.raw, REPLY.undecidable)
    return sent.delivered
  })
}

/** The processes of a cluster of two. */
async function pids(tenant: TestTenant): Promise<number[]> {
  const { sink } = tenant.relay.haraka
  return waitFor(async () => {
    const from = sink.messages().length
    await delivers(tenant, `a@${tenant.domain}`)
    await delivers(tenant, `a@${tenant.domain}`)
    const found = new Set(
      sink
        .messages()
        .slice(from)
        .map(({ pid }) => pid),
    )
    return found.size === 2 ? [...found].sort((a, b) => a - b) : undefined
  })
}

/** Waits until unregistered mail is counted again. */
async function countsAgain(tenant: TestTenant): Promise<void> {
  const before = await tenant.used()
  await waitFor(async () => {
    await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    return (await tenant.used()) > before
  })
  assert.equal(await tenant.used(), before + 1)
}

/** The expiry of each receipt, in ms since the epoch: a repeated refund extends it. */
async function receipts(redis: TestRedis): Promise<Map<string, number>> {
  const client = redis.client()
  const ends = new Map<string, number>()
  for (const key of await client.keys('*:receipt:*')) ends.set(key, await client.pexpiretime(key))
  return ends
}

/** Ids of the connections to Redis that the plugin has open. */
async function ourConnections(redis: TestRedis): Promise<string[]> {
  return (await clientList(redis)).map((line) => /\bid=(\d+)/.exec(line)?.[1] ?? '')
}

/** Whether both connections of a single process are there, one of them subscribed to changes and to audit trails. */
async function follows(redis: TestRedis): Promise<boolean> {
  const clients = await clientList(redis)
  return clients.length === 2 && clients.some((line) => line.includes('sub=2'))
}

async function clientList(redis: TestRedis): Promise<string[]> {
  const list = String(await redis.client().call('CLIENT', 'LIST'))
  return list.split('\n').filter((line) => line.includes('name=unregistered-domain'))
}

/** No process has ended, and none of its promises went unhandled. */
function unharmed(haraka: TestHaraka): void {
  assert.equal(haraka.ended, false)
  assert.doesNotMatch(
    haraka.log,
    /exception|unhandled|internal error|plugin timeout|worker \d+ (killed|exited)|TypeError/i,
  )
}
