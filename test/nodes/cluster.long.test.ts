import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { Forwarder } from '../../src/events/forwarder'
import { forgetHost } from '../../src/nodes/forget'
import { Heartbeat } from '../../src/nodes/heartbeat'
import { MISSING } from '../../src/nodes/node'
import { readOverview } from '../../src/nodes/overview'
import { forgetUnusedConfigs } from '../../src/nodes/unused-configs'
import { tellMissingHosts } from '../../src/process/missing-hosts'
import { useClusterSite } from '../support/cluster'
import { entries } from '../support/events'
import { aNode, beat } from '../support/nodes'

describe('the processes of all hosts on a Redis Cluster', () => {
  const site = useClusterSite()

  it('are shown, told when their host is missing, and forgotten', async () => {
    const { store } = site()
    const facts = { ...aNode({ id: 'mx1/a', pid: process.pid }), clock: Date.now() }
    const say = () => ({ facts, configs: new Map([['d1', '{}']]) })
    const heartbeat = new Heartbeat(store, say, (error) => assert.fail(error as Error))
    heartbeat.start()
    await waitFor(async () => (await readOverview(store)).configs.has('d1'))
    await beat(store, { id: 'mx2/b' }, MISSING)
    const events = { onAlert() {}, onError: assert.fail }
    const forwarder = new Forwarder(store, () => Promise.resolve(), events)
    const lead = () => tellMissingHosts(store, forwarder, () => MISSING).run()
    await lead()
    await forgetUnusedConfigs(store).run()
    assert.equal(await forgetHost(store, 'mx2'), 1)
    await lead()
    assert.deepEqual(
      (await entries(store)).map(({ kind }) => kind),
      ['host_missing', 'resolved'],
    )
    const { nodes, configs } = await readOverview(store)
    assert.deepEqual(
      nodes.map(({ node: { id }, state }) => [id, state]),
      [['mx1/a', 'live']],
    )
    assert.deepEqual([...configs.keys()], ['d1'])
    await heartbeat.stop()
    assert.deepEqual((await readOverview(store)).nodes, [])
    assert.deepEqual(site().errors, [])
  })
})
