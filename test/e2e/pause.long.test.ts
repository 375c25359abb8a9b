// A pause of enforcement without Redis, over failovers of Redis, and for mail in the queue.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import {
  scratchDir,
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type TestHaraka,
  type TestTenant,
} from '../support'
import { readPause } from '../../src/enforcement/pause'
import { ctl, sentinelRelayFor } from '../support/failover'
import { Mailbox } from '../support/mailbox'
import type { RelayRedis } from '../support/relay'
import { answered, REPLY } from '../support/replies'

const NODES = 2
const UNREGISTERED = 'x@stolen.example'
const RECIPIENT = 'a@far.example'
/** Haraka checks held mail again after ten seconds. */
const LIFTED = { timeout: 60_000 }

const everywhere = (haraka: TestHaraka, { session }: TestTenant, reply: string): Promise<void> =>
  answered(haraka, NODES, { session, from: UNREGISTERED, reply })

const snapshotOf = ({ dir }: TestHaraka): string => {
  const file = path.join(dir, 'unregistered-domain.snapshot')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/** A tenant that has tripped. */
async function trippedTenant(relay: TestRelay<RelayRedis>): Promise<TestTenant> {
  const tenant = await relay.tenant('tripped', { limits: '1/1h' })
  const to = [RECIPIENT, 'b@far.example']
  assert.equal((await tenant.send({ from: UNREGISTERED, to })).rcpts[1]?.raw, REPLY.blocked)
  await everywhere(relay.haraka, tenant, REPLY.blocked)
  return tenant
}

async function siteOf(t: TestContext) {
  const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  t.after(() => redis.stop())
  const haraka = await startHaraka({ redis, nodes: NODES })
  t.after(() => haraka.stop())
  const relay = new TestRelay(redis, [haraka])
  const tripped = await trippedTenant(relay)
  const placed = await relay.tenant('placed')
  await relay.restrictions.place('placed', { scope: 'unregistered', by: 'ann', reason: 'abuse' })
  await everywhere(haraka, placed, REPLY.blocked)
  return { redis, haraka, relay, tripped, placed }
}

describe('a pause of enforcement', { concurrency: 2 }, () => {
  it('is honoured after a restart without Redis, and ends there by itself', async (t) => {
    const { redis, haraka, tripped, placed } = await siteOf(t)
    await ctl(haraka, 'enforcement', 'pause', '--reason', 'test', '--for', '90s', '--wait')
    await waitFor(() => /"pause":\{"state":"paused"/.test(snapshotOf(haraka)))
    await waitFor(() => ['"automatic"', '"ann"'].every((by) => snapshotOf(haraka).includes(by)))
    await redis.kill()
    await haraka.restart({ ready: false })
    await everywhere(haraka, tripped, '250 ')
    const sent = await tripped.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.ok(sent.delivered, String(sent.last))
    await everywhere(haraka, placed, REPLY.blocked)
    await waitFor(() => haraka.log.split('] enforcement-resumed ').length === 1 + NODES, {
      timeout: 120_000,
    })
    await everywhere(haraka, tripped, REPLY.blocked)
    await haraka.restart({ ready: false })
    await everywhere(haraka, tripped, REPLY.blocked)
  })

  it('stays as it is over a failover that loses the pause, and one that loses the end of it', async (t) => {
    const relay = await sentinelRelayFor(t, { nodes: NODES })
    const { redis, haraka, store } = relay
    const tripped = await trippedTenant(relay)
    for (const [command, state, reply] of [
      ['pause', 'paused', '250 '],
      ['resume', 'resumed', REPLY.blocked],
    ] as const) {
      await redis.inSync()
      const former = await redis.primary()
      const others = redis.nodes.filter((node) => node !== former)
      const before = (await readPause(store)).change?.mark
      for (const node of others) node.pause()
      // What it would still send them they could read after its end.
      await former.client().call('CLIENT', 'KILL', 'TYPE', 'replica')
      await ctl(haraka, 'enforcement', command, '--reason', 'test')
      const { change } = await readPause(store)
      await everywhere(haraka, tripped, reply)
      await former.kill()
      for (const node of others) node.resume()
      await redis.failedOver(former)
      await waitFor(async () => (await readPause(store)).change?.mark === change!.mark, LIFTED)
      assert.equal(change!.state, state)
      assert.notEqual(change!.mark, before)
      await everywhere(haraka, tripped, reply)
      await former.restart()
      await redis.demoted(former)
    }
    const trail = await ctl(haraka, 'audit')
    for (const state of ['paused', 'resumed']) {
      assert.match(trail, new RegExp(`enforcement ${state} +put back: Redis had lost it`))
    }
  })

  it('leaves held mail where it is, delivers what is accepted in it, and with --everything all', async (t) => {
    const mailbox = await Mailbox.start()
    t.after(() => mailbox.stop())
    const redis = await startRedis()
    t.after(() => redis.stop())
    const { registry } = new TestRelay(redis, [])
    await registry.tenants.add('contoso', { limits: '1/1h' }, 'test')
    await registry.connectors.add('contoso', 'mx', { ip: ['127.77.0.1/32'] }, 'test')
    const way = path.join(scratchDir('way'), 'open')
    const later = `exports.hook_get_mx = (next, hmail, domain) =>
      domain === 'later.example' && !require('node:fs').existsSync('${way}') ? next(DENYSOFT, 'later') : next()`
    const haraka = await startHaraka({
      redis,
      plugins: ['relay', 'later', 'route', 'unregistered-domain'],
      localPlugins: { later, route: mailbox.route },
      config: { 'outbound.ini': 'temp_fail_intervals=5s*100\n' },
    })
    t.after(() => haraka.stop())
    await haraka.waitForLog(/\] ready /)
    const session = { localAddress: '127.77.0.1' }
    const reply = async (subject: string, to: string): Promise<string> =>
      (await haraka.send({ from: UNREGISTERED, to, subject, session })).last.raw
    const hasArrived = (subject: string): boolean =>
      mailbox.messages().some(({ headers }) => headers.get('subject') === subject)

    assert.match(await reply('before', 'a@later.example'), /^250 /)
    assert.equal(await reply('tripping', RECIPIENT), REPLY.blocked)
    await haraka.waitForLog(/\] held tenant=contoso/, LIFTED)
    writeFileSync(way, '')
    await ctl(haraka, 'enforcement', 'pause', '--reason', 'test', '--wait')
    assert.match(await reply('within', RECIPIENT), /^250 /)
    await waitFor(() => hasArrived('within'), LIFTED)
    // It has been checked again and again.
    await haraka.waitForLog(/\] held tenant=contoso count=\d+ seconds=60/, { timeout: 120_000 })
    assert.equal(hasArrived('before'), false)
    const listed = await ctl(haraka, 'queue', 'contoso', 'list', '--local', '--json')
    assert.deepEqual(
      (JSON.parse(listed) as { held: boolean }[]).map(({ held }) => held),
      [true],
    )
    await ctl(haraka, 'enforcement', 'pause', '--reason', 'test', '--everything', '--wait')
    await waitFor(() => hasArrived('before'), LIFTED)
  })
})
