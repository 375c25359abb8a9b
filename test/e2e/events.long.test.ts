import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { Entry } from '../../src/records/event-entry'
import { within } from '../../src/base/deadline'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRelay, waitFor, type TestHaraka, type TestRelay } from '../support'
import { entries } from '../support/events'
import { Load, randomFrom } from '../support/load'
import type { TestTenant } from '../support/relay'
import { REPLY } from '../support/replies'
import { SEED } from '../support/seed'
import { sendTo } from '../support/transactions'

const SESSIONS = 60
const PATIENCE = { timeout: 90_000 }
/** ms */
const SILENCE = 30_000
const LIMIT = 800
const KILLS = 6
/** Of a tenant that went over its allowance and was unblocked. */
const WHOLE_STORY = [
  ...['allowance 50', 'allowance 80', 'allowance 95', 'lifted', 'restricted'],
  ...['resolved 50', 'resolved 80', 'resolved 95'],
].sort()

describe('events of two Harakas with four workers each on one Redis', () => {
  let relay: TestRelay
  let store: Store
  before(async () => {
    const settings = { redis: { command_timeout: 10_000 } }
    relay = await startRelay({ hosts: 2, nodes: 4, settings })
    store = new Store(relay.redis.client(), new Keys('ud:'))
  })
  after(() => relay.stop())

  async function eventsOf({ id }: TestTenant): Promise<Entry[]> {
    return (await entries(store)).filter(({ alert }) => alert.tenant === id)
  }

  /** Kind, and percent, of each event that is in the stream. */
  async function storyOf(tenant: TestTenant): Promise<string[]> {
    const all = await eventsOf(tenant)
    return all
      .map(({ alert: { kind, facts } }) => [kind, facts['percent']].filter(Boolean).join(' '))
      .sort()
  }

  async function isTold(tenant: TestTenant, story: readonly string[]): Promise<void> {
    await waitFor(async () => (await storyOf(tenant)).length >= story.length, PATIENCE)
    assert.deepEqual(await storyOf(tenant), story)
  }

  function inSomeLog(id: string): number {
    const line = new RegExp(`alert .*\\bid="?${id}\\b`, 'g')
    return relay.hosts.reduce((sum, { log }) => sum + (log.match(line)?.length ?? 0), 0)
  }

  it(`${SESSIONS} sessions past several allowances raise each event once, with one log line`, async () => {
    const tenants = await Promise.all(
      ['a', 'b', 'c'].map((id) => relay.tenant(`told-${id}`, { limits: '100/1d' })),
    )
    await Promise.all(
      tenants.map((tenant) => {
        const load = new Load(tenant, SESSIONS / tenants.length, [REPLY.blocked])
        return load.run(async (client) => {
          for (let message = 0; message < 3; message++) await sendTo(3, client, load)
        })
      }),
    )
    for (const tenant of tenants) {
      assert.ok(await tenant.restriction())
      await relay.lift(tenant.id)
    }
    for (const tenant of tenants) {
      await isTold(tenant, WHOLE_STORY)
      const all = await eventsOf(tenant)
      for (const { alert } of all) await waitFor(() => inSomeLog(alert.id) === 1, PATIENCE)
      const [restricted, lifted] = ['restricted', 'lifted'].map(
        (kind) => all.find(({ alert }) => alert.kind === kind)!.alert,
      )
      assert.equal(lifted!.resolves, restricted!.id)
      assert.equal(restricted!.facts['case'], `${tenant.id}:1`)
      assert.equal((await store.client.hget(store.keys.tenant(tenant.id), 'events')) ?? '', '')
    }
  })

  it('the leader reports once what ends without mail', async () => {
    const tenant = await relay.tenant('resting', { limits: '10/5s defer' })
    const load = new Load(tenant, 10, [REPLY.deferred])
    await load.run((client) => sendTo(1, client, load))
    const edges = ['allowance 50', 'allowance 80', 'allowance 95']
    await isTold(tenant, [...edges, 'resolved 50', 'resolved 80', 'resolved 95'])
    const open = Object.keys(await store.client.hgetall(store.keys.eventsOpen))
    assert.deepEqual(
      open.filter((field) => field.includes(`\t${tenant.id}\t`)),
      [],
    )
  })

  it('killed workers lose no event, and repeat none', async (t) => {
    t.diagnostic(`seed ${SEED}`)
    const random = randomFrom(SEED)
    const tenants = await Promise.all(
      ['a', 'b'].map((id) => relay.tenant(`killed-${id}`, { limits: `${LIMIT}/1d` })),
    )
    const over = new Set<TestTenant>()
    const sending = tenants.map((tenant) =>
      Promise.all(
        Array.from({ length: SESSIONS / tenants.length }, (_, session) =>
          sendThroughDeaths(tenant, session, over),
        ),
      ),
    )
    // Around each percentage, and in between.
    for (let kills = 0; kills < KILLS; kills++) {
      const used = ((kills + 1) * LIMIT) / (KILLS + 1)
      await waitFor(async () => (await tenants[kills % 2]!.used()) >= used, PATIENCE)
      killWorker(relay.hosts[kills % 2]!, random())
    }
    await Promise.all(sending)
    for (const tenant of tenants) await relay.lift(tenant.id)
    for (const tenant of tenants) await isTold(tenant, WHOLE_STORY)
    // The leader is among them: another process leads now.
    const holder = await store.client.get(store.keys.leader)
    assert.notEqual(holder, null)
  })

  /** Sends until the tenant is restricted, over new sessions where a killed worker ended one. */
  async function sendThroughDeaths(
    tenant: TestTenant,
    session: number,
    over: Set<TestTenant>,
  ): Promise<void> {
    while (!over.has(tenant)) {
      const load = new Load(tenant, SESSIONS, [REPLY.blocked])
      try {
        // A session of a worker that is being killed may get no answer at all.
        const client = await within(SILENCE, load.connect(session))
        while (load.refusedWith(REPLY.blocked) === 0) {
          await within(SILENCE, sendTo(2, client, load))
        }
        over.add(tenant)
        await within(SILENCE, client.quit())
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error
      }
    }
  }
})

/** Haraka replaces the worker. */
function killWorker(haraka: TestHaraka, choice: number): void {
  const workers = childrenOf(haraka.pid)
  process.kill(workers[Math.floor(choice * workers.length)]!, 'SIGKILL')
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}
