import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { readTenantAudit } from '../../src/audit/reader'
import { openSteps, STEPS } from '../../src/cases/case'
import { Cases } from '../../src/cases/cases'
import { completeEvidence } from '../../src/cases/complete'
import { formatEvidence, parseEvidence } from '../../src/cases/evidence'
import { findingsOf } from '../../src/cases/findings'
import { freezeEvidence } from '../../src/cases/freeze'
import { FOLLOWED } from '../../src/cases/minutes'
import type { RestrictedEvent } from '../../src/records/event'
import { Forwarder } from '../../src/events/forwarder'
import { serverTime } from '../../src/store/server-clock'
import type { Store } from '../../src/store/store'
import { assertAllRan, ClusterSite } from '../support/cluster'
import { freezing } from '../support/evidence'

const ANN = { by: 'ann', text: 'looked' }

describe('cases on a Redis Cluster', () => {
  let cluster: TestCluster
  let sites: ClusterSite[]
  before(async () => {
    cluster = await startRedisCluster()
    sites = await Promise.all(Array.from({ length: 3 }, () => ClusterSite.open(cluster)))
  })
  after(async () => {
    for (const site of sites ?? []) site.close()
    await cluster?.stop()
  })

  /** Handles events as each process of a Haraka does. */
  function forwarderOf({ store }: ClusterSite): Forwarder {
    const forwarder = new Forwarder(store, () => Promise.resolve(), {
      onAlert() {},
      onError: (message, error) => assert.fail(`${message}: ${String(error)}`),
    })
    const cases = new Cases(store)
    const freezer = freezing(store)
    forwarder.beforePublish.push(
      (tenant, event) => cases.handleEvent(tenant, event),
      async (tenant, event) => {
        if (event.kind !== 'restricted') return
        // Long ago, so that there is nothing to wait for.
        const earlier: RestrictedEvent = { ...event, at: event.at - 5000 }
        await freezeEvidence(freezer, tenant, earlier)
      },
    )
    return forwarder
  }

  it('are opened once by trips in all slots, ticked and closed', async () => {
    const { store, registry, restrictions } = sites[0]!
    const cases = new Cases(store)
    const forwarders = sites.map(forwarderOf)
    const listeners = store.client.listenerCount('ready')
    const tenants = Array.from({ length: 9 }, (_, at) => `t${at}`)
    for (const id of tenants) {
      await registry.tenants.add(id, { limits: '1/1d' }, 'test')
      for (let times = 0; times < 2; times++) await sites[0]!.charge(id)
      await Promise.all(forwarders.map((forwarder) => forwarder.forward(id)))
    }
    assert.deepEqual((await cases.list()).map(({ name }) => name).sort(), tenants.map(caseOf))

    for (const id of tenants) await endHour(store, id)
    await Promise.all(sites.map((site) => completeEvidence(site.store).run()))
    for (const id of tenants) {
      const name = caseOf(id)
      const evidence = await store.client.get(store.keys.evidence(id, 1))
      const { event, minutesComplete } = parseEvidence(evidence ?? '')
      assert.deepEqual([event.case, minutesComplete], [name, true])
      assert.equal((await cases.take(name, 'ann')).result, 'taken')
      for (const step of STEPS) await cases.check(name, [step], ANN)
      await cases.note(name, ANN)
      const reason = { by: 'bob', reason: 'clean', keepUsage: false }
      assert.equal(await restrictions.lift(id, reason), 'lifted')
      await Promise.all(forwarders.map((forwarder) => forwarder.forward(id)))
      assert.equal(await cases.close(name, ANN), 'closed')

      const found = await cases.existing(name)
      assert.deepEqual(
        [found.trigger?.limit, found.lifted?.by, found.closed?.by, openSteps(found)],
        [1, 'bob', 'ann', []],
      )
      assert.deepEqual((await findingsOf(store, found, await serverTime(store.client))).domains, [])
      assert.deepEqual(
        (await readTenantAudit(store, id, 0)).map(({ what }) => what),
        [
          ...['tenant added', 'restriction tripped', 'case taken'],
          ...STEPS.map((step) => `case checked: ${step}`),
          ...['case noted', 'restriction lifted', 'case closed'],
        ],
      )
    }
    assert.equal(store.client.listenerCount('ready'), listeners, 'nothing is left behind')
    assertAllRan(sites, (folder) => folder === 'cases')
    assert.deepEqual(
      sites.flatMap(({ errors }) => errors),
      [],
    )
  })
})

/** The hour after the restriction is over. */
async function endHour({ client, keys }: Store, tenant: string): Promise<void> {
  const key = keys.evidence(tenant, 1)
  const evidence = parseEvidence((await client.get(key)) ?? '')
  const at = evidence.event.at - FOLLOWED
  await client.zadd(keys.caseIndex, at, caseOf(tenant))
  await client.set(key, formatEvidence({ ...evidence, event: { ...evidence.event, at } }))
}

function caseOf(tenant: string): string {
  return `${tenant}:1`
}
