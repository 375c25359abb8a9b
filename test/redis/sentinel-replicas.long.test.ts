import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { tenantctl, type TestRedis } from '../support'
import { accountOf, MailStream, sentinelRelayFor } from '../support/failover'

const LIMIT = 400
/** Recipients to be counted by a primary without replicas. */
const UNHEARD = 40

describe('A primary that has lost its replicas', { concurrency: 2 }, () => {
  test('goes on counting, and its failover loses exactly what was not replicated', async (t) => {
    const relay = await sentinelRelayFor(t)
    const { redis } = relay
    const contoso = await relay.tenant('contoso', { limits: `${LIMIT}/1h` })
    await redis.inSync()

    const stream = new MailStream(contoso)
    await stream.until('some are counted', () => stream.count(250) >= UNHEARD)
    const former = await redis.primary()
    const replicas = await redis.replicas()
    await cutOff(former, replicas)
    const cut = performance.now()
    await stream.until('some more are counted', () => stream.count(250, cut) >= UNHEARD)
    const killed = performance.now()
    await former.kill()
    for (const replica of replicas) replica.resume()
    const outage = await stream.untilServed(killed)
    await stream.until('the allowance is used up', () => stream.count(550) >= 10)
    await stream.stop()

    const { delivered, lost } = await accountOf(contoso)
    t.diagnostic(`service back after ${outage.duration} ms`)
    t.diagnostic(`${delivered} accepted of ${LIMIT}, ${lost} lost by asynchronous replication`)
    assert.ok(lost >= UNHEARD)
    assert.ok(delivered <= LIMIT + lost, `${delivered} delivered, ${lost} lost`)
  })

  test('refuses to count with min-replicas-to-write: 451 until one is back', async (t) => {
    const config = ['min-replicas-to-write 1', 'min-replicas-max-lag 1']
    const relay = await sentinelRelayFor(t, { config })
    const { redis, haraka } = relay
    const contoso = await relay.tenant('contoso', { limits: `${LIMIT}/1h` })
    await redis.inSync()

    const stream = new MailStream(contoso)
    // Redis notices lagging replicas only after seconds, and the allowance must last for these.
    stream.pace = 200
    await stream.until('some are counted', () => stream.count(250) >= 20)
    const former = await redis.primary()
    const replicas = await redis.replicas()
    for (const replica of replicas) replica.pause()
    const paused = performance.now()
    await stream.until('counting has stopped', () => stream.count(451, paused) >= 10)
    const { registered } = stream
    await stream.until('registered mail passes', () => stream.registered >= registered + 20)
    const args = ['--config', haraka.configDir, 'block', 'contoso', '--reason', 'test']
    const run = await tenantctl(args)
    assert.equal(run.status, 1)
    assert.match(run.stderr, /NOREPLICAS/)
    replicas[0]!.resume()
    await stream.untilServed(paused)

    // Only the primary has the last few counts, and they are lost with it.
    replicas[1]!.resume()
    stream.pace = 1000
    await redis.inSync()
    await cutOff(former, replicas)
    const cut = performance.now()
    await stream.until('counting has stopped', () => stream.count(451, cut) >= 10)
    await former.kill()
    for (const replica of replicas) replica.resume()
    await stream.untilServed(cut)
    stream.pace = 0
    await stream.until('the allowance is used up', () => stream.count(550) >= 10)
    await stream.stop()

    const { delivered, lost } = await accountOf(contoso)
    t.diagnostic(`${delivered} accepted of ${LIMIT}, ${lost} lost by asynchronous replication`)
    assert.ok(delivered <= LIMIT + lost, `${delivered} delivered, ${lost} lost`)
  })
})

/** Cuts the replicas off from a running primary. */
async function cutOff(primary: TestRedis, replicas: readonly TestRedis[]): Promise<void> {
  for (const replica of replicas) replica.pause()
  await primary.client().call('CLIENT', 'KILL', 'TYPE', 'replica')
}
