import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { Heartbeat, type Said } from '../../src/nodes/heartbeat'
import { HEARTBEAT, LATE, MISSING, MOST_NODES, type NodeFacts } from '../../src/nodes/node'
import { readConfigs, readNodes } from '../../src/nodes/read-nodes'
import { serverTime } from '../../src/store/server-clock'
import type { Store } from '../../src/store/store'
import { forgetUnusedConfigs } from '../../src/nodes/unused-configs'
import { aNode } from '../support/nodes'
import { newSite, useRedis } from '../support/registry'

useRedis()

const running: Heartbeat[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()))
})

/** A process that says this of itself. */
function begin(
  store: Store,
  facts: Partial<NodeFacts> = {},
  configs: Said['configs'] = new Map(),
): { heartbeat: Heartbeat; errors: string[] } {
  const errors: string[] = []
  const say = (draining: boolean): Said => ({ facts: { ...aNode(facts), draining }, configs })
  const heartbeat = new Heartbeat(store, say, (error) => errors.push((error as Error).message))
  running.push(heartbeat)
  heartbeat.start()
  return { heartbeat, errors }
}

async function ids(store: Store): Promise<string[]> {
  return (await readNodes(store)).nodes.map(({ id }) => id)
}

/** Makes a process one that was seen some time ago. */
async function age({ client, keys }: Store, id: string, ms: number): Promise<void> {
  await client.zadd(keys.nodesSeen, (await serverTime(client)) - ms, id)
}

async function endedPid(): Promise<number> {
  const child = spawn('true')
  await once(child, 'exit')
  return child.pid!
}

describe('a heartbeat', () => {
  it('shows a process at once, with the time of the server, and no longer once it stops', async () => {
    const { store } = newSite()
    const { heartbeat } = begin(store, { id: 'mx1/a', worker: 3 })
    const [node] = await waitFor(async () => {
      const { nodes } = await readNodes(store)
      return nodes.length > 0 && nodes
    })
    assert.deepEqual([node!.id, node!.host, node!.worker], ['mx1/a', 'mx1', 3])
    assert.ok(Math.abs(node!.seen - (await serverTime(store.client))) < HEARTBEAT)
    await heartbeat.stop()
    assert.deepEqual(await ids(store), [])
  })

  it('writes each configuration once, and again if Redis has lost it', async () => {
    const site = newSite()
    const { store } = site
    const configs = new Map([['d1', '{"main":{"mode":"monitor"}}']])
    begin(store, { id: 'mx1/a' }, configs)
    begin(site.connect(), { id: 'mx2/b' }, configs)
    await waitFor(async () => (await ids(store)).length === 2)
    const known = await waitFor(async () => {
      const found = await readConfigs(store)
      return found.size > 0 && found
    })
    assert.deepEqual([...known], [['d1', { main: { mode: 'monitor' } }]])
    await store.client.del(store.keys.nodesConfigs)
    begin(site.connect(), { id: 'mx3/c' }, configs)
    await waitFor(async () => (await readConfigs(store)).size === 1)
    await store.client.hset(store.keys.nodesConfigs, 'd9', '{}')
    await forgetUnusedConfigs(store).run()
    assert.deepEqual([...(await readConfigs(store)).keys()], ['d1'])
  })

  it('says that a process ends after its sessions, which is over when it is silent', async () => {
    const { store } = newSite()
    const { heartbeat } = begin(store, { id: 'mx1/a' })
    heartbeat.drain()
    await waitFor(async () => (await readNodes(store)).nodes[0]?.draining)
    await age(store, 'mx1/a', LATE + 1)
    assert.deepEqual(await ids(store), [])
  })

  it('forgets at the bound who was not seen for the longest time, and none that is not missing', async () => {
    const site = newSite()
    const { store } = site
    const { client, keys } = store
    const now = await serverTime(client)
    const all = Array.from({ length: MOST_NODES }, (_, at) => `mx/${at}`)
    await client.zadd(keys.nodesSeen, ...all.flatMap((id) => [now, id]))
    const late = begin(store, { id: 'mx1/a' })
    await waitFor(() => late.errors.length > 0)
    assert.equal(late.heartbeat.noted, 0)
    assert.deepEqual(await ids(store), [])
    await age(store, 'mx/5', MISSING + 1)
    begin(site.connect(), { id: 'mx1/b' })
    await waitFor(async () => (await ids(store)).length === 1)
    assert.equal(await client.zscore(keys.nodesSeen, 'mx/5'), null)
    assert.equal(await client.zcard(keys.nodesSeen), MOST_NODES)
  })
})

describe('a process that has ended without saying so', () => {
  const boot = 'kernel pid:[1]'
  const ended = async (facts: Partial<NodeFacts>): Promise<boolean> => {
    const site = newSite()
    const { store } = site
    const { client, keys } = store
    const node = aNode({ id: 'mx1/old', boot, pid: await endedPid(), ...facts })
    await client.hset(keys.nodes, node.id, JSON.stringify(node))
    await age(store, node.id, MISSING)
    const { pid } = process
    begin(site.connect(), { id: 'mx1/new', boot, pid })
    // Says the same after its first look.
    begin(site.connect(), { id: 'mx1/next', boot, pid })
    await waitFor(async () => (await ids(store)).includes('mx1/next'))
    await running.at(-1)!.stop()
    return !(await ids(store)).includes(node.id)
  }

  it('is removed by the next one on its host', async () => {
    assert.equal(await ended({}), true)
  })

  it('is removed if its host was rebooted since', async () => {
    assert.equal(await ended({ boot: 'earlier pid:[1]', started: 0, pid: process.pid }), true)
  })

  it('stays if it runs, hangs, or is in another container, on another host, or on a system that does not say', async () => {
    assert.equal(await ended({ pid: process.pid }), false)
    assert.equal(await ended({ boot: 'kernel pid:[2]' }), false)
    assert.equal(await ended({ id: 'mx2/old' }), false)
    assert.equal(await ended({ boot: '' }), false)
  })
})
