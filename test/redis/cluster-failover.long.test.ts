import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { waitFor } from '../../scripts/services/wait-for'
import { ChargeLoad } from '../support/charge-load'
import { startClusterRelay, type RelayCluster } from '../support/cluster'
import { accountOf, MailStream, RECIPIENT, UNREGISTERED } from '../support/failover'
import type { TestRelay, TestTenant } from '../support/relay'
import { REPLY } from '../support/replies'

const LIMIT = 300
/** The fewest recipients lost of the mail accepted while the replica is cut off. */
const LOST = 20
/** How many of these may still be undelivered when the primary is killed. */
const ON_THEIR_WAY = 20
const AMPLE = '1000000/1h'

/** Three primaries, a replica each, and a Haraka with two workers. */
describe('a Redis Cluster whose primaries fail over', () => {
  let cluster: TestCluster
  let relay: TestRelay<RelayCluster>
  before(async () => {
    // A killed primary is replaced after about twice that time; with less a busy machine looks dead.
    cluster = await startRedisCluster({ replicas: 1, nodeTimeout: 3000 })
    relay = await startClusterRelay(cluster, { nodes: 2 })
  })
  after(async () => {
    await relay?.stop()
    await cluster?.stop()
  })
  const loads: ChargeLoad[] = []
  afterEach(() => loads.splice(0).forEach((each) => each.end()))

  it('by agreement, under load: nothing is lost', async (t) => {
    const { site } = relay.redis
    const { keys } = site.store
    const tenants = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const id of tenants) await site.registry.tenants.add(id, { limits: AMPLE }, 'test')
    await site.registry.tenants.add('tight', { limits: `${LIMIT}/1h` }, 'test')
    const ample = tenants.map((id) => new ChargeLoad(site, id, { sessions: 4 }))
    const tight = new ChargeLoad(site, 'tight', { refunds: false })
    loads.push(...ample, tight)
    const goesOn = async () => {
      const enough = ample.map((each) => each.count('CHARGED') + 10)
      const all = () => ample.every((each, at) => each.count('CHARGED') >= enough[at]!)
      await waitFor(all, { timeout: 30_000 })
    }
    await goesOn()
    for (const primary of await cluster.primaries()) {
      await cluster.failOver(primary)
      await goesOn()
    }
    await waitFor(() => tight.count('RESTRICTED') > 0, { timeout: 30_000 })
    await Promise.all([...ample, tight].map((each) => each.stop()))
    const former = cluster.nodes.slice(0, 3)
    assert.deepEqual(
      (await cluster.primaries()).filter((node) => former.includes(node)),
      [],
    )
    for (const [at, each] of ample.entries()) {
      assert.equal(await site.used(tenants[at]!), each.accepted)
    }
    assert.equal(tight.accepted, LIMIT)
    assert.equal(await site.used('tight'), LIMIT)
    assert.ok(await site.client.exists(keys.restriction('tight')))
    const accepted = [...ample, tight].reduce((sum, each) => sum + each.accepted, 0)
    const unanswered = [...ample, tight].reduce((sum, each) => sum + each.unanswered, 0)
    t.diagnostic(`3 failovers: ${accepted} accepted, all counted, ${unanswered} calls unanswered`)
  })

  it('by kill -9, under load: registered mail passes, and at most the limit plus the loss', async (t) => {
    const { site } = relay.redis
    const { keys } = site.store
    const contoso = await relay.tenant('contoso', { limits: `${LIMIT}/1h` })
    const blocked = await tenantBeside(relay, contoso)
    await site.restrictions.place(blocked.id, { scope: 'unregistered', by: 'anna', reason: 'x' })
    const restriction = await blocked.restriction()
    const primary = await cluster.primaryOf(keys.tenant('contoso'))
    const replica = await cluster.replicaOf(primary)
    const stream = new MailStream(contoso)
    try {
      await stream.until('a third is used', () => stream.count(250) >= LIMIT / 3)
      await cluster.inSync(primary, replica)
      await cluster.cutOff(replica, primary)
      const unreplicated = stream.count(250) + LOST + ON_THEIR_WAY
      await stream.until('more is accepted', () => stream.count(250) >= unreplicated)
      const killed = performance.now()
      await primary.kill()
      replica.redis.resume()
      const outage = await stream.untilServed(killed)
      await stream.until('the allowance is used up', () => stream.count(550) >= 20)
      t.diagnostic(`service back after ${outage.duration} ms, longest message ${outage.longest} ms`)
      t.diagnostic(`451: ${outage.tempfailed}, registered delivered: ${stream.registered}`)
    } finally {
      await stream.stop()
    }
    assert.equal(await cluster.primaryOf(keys.tenant('contoso')), replica)
    const { delivered, lost } = await accountOf(contoso)
    t.diagnostic(`${delivered} accepted of ${LIMIT}, ${lost} lost by asynchronous replication`)
    assert.ok(lost >= LOST, `only ${lost} lost: the replica was not cut off`)
    assert.ok(delivered <= LIMIT + lost, `${delivered} delivered, ${lost} lost`)
    assert.equal((await contoso.restriction())?.by, 'automatic')

    assert.deepEqual(await blocked.restriction(), restriction)
    const refused = await blocked.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.equal(refused.mail.raw, REPLY.blocked)
    await relay.lift(blocked.id)
    await waitFor(async () => (await blocked.send({ from: UNREGISTERED, to: RECIPIENT })).delivered)

    await primary.restart()
    await cluster.whenInOrder()
    const sent = await contoso.send({ from: `a@${contoso.domain}`, to: RECIPIENT })
    assert.ok(sent.delivered, String(sent.last))
  })
})

/** A tenant with keys on the same primary. */
async function tenantBeside(
  relay: TestRelay<RelayCluster>,
  other: TestTenant,
): Promise<TestTenant> {
  const { cluster, site } = relay.redis
  const { keys } = site.store
  const primary = await cluster.primaryOf(keys.tenant(other.id))
  for (let at = 0; ; at++) {
    const id = `beside${at}`
    if ((await cluster.primaryOf(keys.tenant(id))) === primary) return relay.tenant(id)
  }
}
