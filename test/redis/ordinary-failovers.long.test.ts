// Failovers that lose no change of state raise no alarm.
//   FAILOVERS=200 node --require tsx/cjs scripts/run-tests.mjs test/redis/ordinary-failovers.long.test.ts
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startRedisCluster } from '../../scripts/services/redis-cluster'
import { startRedisSentinel } from '../../scripts/services/redis-sentinel'
import { waitFor } from '../../scripts/services/wait-for'
import { Restrictions } from '../../src/allowance/restriction'
import { Engine } from '../../src/process/engine'
import { readLost } from '../../src/registry/lost-changes'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import type { RedisSettings } from '../../src/store/settings'
import { Store } from '../../src/store/store'
import { DEFAULTS } from '../support/allowance'
import { newTransaction } from '../support/cluster'
import { settingsFor } from '../support/connection'
import { Registries } from '../support/registries'

/** Of all: half of them with Sentinel, half of them in a Cluster, planned and by kill in turn. */
const FAILOVERS = Number(process.env['FAILOVERS'] ?? 4)
const ENGINES = 2
const TENANTS = ['a', 'b', 'c', 'd', 'e', 'f']
const ACT = { by: 'test', reason: 'test' }
/** A failover takes seconds, and longer on a busy machine. */
const PATIENCE = { timeout: 120_000, interval: 50 }
/** The pause of a session between two charges, in ms. */
const PAUSE = 20

/** Several Redis servers that fail over. */
interface Topology {
  readonly settings: RedisSettings
  /** Waits until all replicas have what their primaries have now. */
  inSync(): Promise<unknown>
  /** Each resolves when all servers run and are in order again. */
  readonly failovers: readonly (() => Promise<unknown>)[]
  stop(): Promise<void>
}

describe('ordinary failovers under load raise no alarm', () => {
  it('of a primary that Sentinel watches', async (t) => failOver(t, await withSentinel()))
  it('of the primaries of a Cluster', async (t) => failOver(t, await inCluster()))
})

async function withSentinel(): Promise<Topology> {
  const redis = await startRedisSentinel()
  const { sentinel_name: sentinelName } = redis.settings
  const sentinels = redis.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
  return {
    settings: settingsFor(redis.nodes[0]!, { sentinels, sentinelName }),
    inSync: () => redis.inSync(),
    failovers: [
      async () => {
        const former = await redis.primary()
        const sentinel = redis.sentinels[0]!.client()
        // It refuses while it has no suitable replica.
        await waitFor(() => sentinel.call('SENTINEL', 'FAILOVER', sentinelName), PATIENCE)
        await redis.failedOver(former)
        await redis.settled()
      },
      async () => {
        const former = await redis.primary()
        await former.kill()
        await redis.failedOver(former)
        await former.restart()
        await redis.settled()
      },
    ],
    stop: () => redis.stop(),
  }
}

async function inCluster(): Promise<Topology> {
  const cluster = await startRedisCluster({ replicas: 1, nodeTimeout: 3000 })
  let turn = 0
  const next = async () => {
    const primaries = await cluster.primaries()
    return primaries[turn++ % primaries.length]!
  }
  return {
    settings: settingsFor(cluster.nodes[0]!, { cluster: cluster.endpoints }),
    inSync: async () => {
      for (const primary of await cluster.primaries()) {
        await cluster.inSync(primary, await cluster.replicaOf(primary))
      }
    },
    failovers: [
      async () => {
        await cluster.failOver(await next())
        await cluster.whenInOrder()
      },
      async () => {
        const primary = await next()
        const replica = await cluster.replicaOf(primary)
        await primary.kill()
        await cluster.whenPromoted(replica)
        await primary.restart()
        await cluster.whenInOrder()
      },
    ],
    stop: () => cluster.stop(),
  }
}

async function failOver(t: TestContext, topology: Topology): Promise<void> {
  t.after(() => topology.stop())
  const client = connect(topology.settings, () => {})
  t.after(() => client.disconnect())
  const store = new Store(client, new Keys('ud:'))
  const operator = new Operator(store)
  await waitFor(() => operator.register().then(() => true), PATIENCE)
  const processes = Array.from({ length: ENGINES }, () => new LoadedEngine(topology.settings))
  t.after(() => processes.forEach((each) => each.stop()))

  const alarms: string[] = []
  const all = async (condition: (each: LoadedEngine) => boolean, what: string) =>
    waitFor(() => processes.every(condition), { ...PATIENCE, what })
  for (let round = 1; round <= FAILOVERS / 2; round++) {
    await operator.change(round)
    await topology.inSync()
    await topology.failovers[round % topology.failovers.length]!()
    const enough = processes.map(({ charged }) => charged + 20)
    await all((each) => each.charged >= enough[processes.indexOf(each)]!, 'charges go on')
    const token = await operator.mark(round)
    await all((each) => each.tokenOf('marked') === token, 'all know the last change')
    await all((each) => each.isRestricted('marked') === (round % 2 === 1), 'all know the block')
    const report = await readLost(store)
    if (report) alarms.push(`${round}: ${JSON.stringify(report)}`)
  }
  const charged = processes.reduce((sum, each) => sum + each.charged, 0)
  const unanswered = processes.reduce((sum, each) => sum + each.unanswered, 0)
  t.diagnostic(`${FAILOVERS / 2} failovers, ${charged} charges, ${unanswered} without an answer`)
  assert.deepEqual(alarms, [])
  assert.deepEqual(
    processes.flatMap(({ critical }) => critical),
    [],
  )
  for (const each of processes) assert.deepEqual(each.putBack, [])
}

/** An operator who changes something between the failovers. */
class Operator {
  private readonly registry: Registries
  private readonly restrictions: Restrictions

  constructor(private readonly store: Store) {
    this.registry = new Registries(store)
    this.restrictions = new Restrictions(store)
  }

  async register(): Promise<void> {
    const { tenants } = this.registry
    const there = new Set((await tenants.list()).map(({ id }) => id))
    for (const id of [...TENANTS, 'marked']) {
      if (!there.has(id)) await tenants.add(id, { limits: '1000000/1h' }, ACT.by)
    }
  }

  /** One change of each kind; those of every second round take the others back. */
  async change(round: number): Promise<void> {
    const { domains, connectors } = this.registry
    const entry = { domain: 'more.example', subdomains: false, shared: false }
    if (round % 2 === 1) {
      await this.restrictions.place('marked', { ...ACT, scope: 'unregistered' })
      await domains.add('marked', [entry], ACT.by)
      await connectors.add('marked', 'mx', { ip: ['192.0.2.1/32'] }, ACT.by)
    } else {
      await this.restrictions.lift('marked', { ...ACT, keepUsage: false })
      await domains.remove('marked', [entry.domain])
      await connectors.remove('marked', 'mx')
    }
  }

  /** A change after the failover. @returns the token of the tenant then. */
  async mark(round: number): Promise<string | null> {
    const { client, keys } = this.store
    const limits = `${1000 + round}/1h`
    await waitFor(() => this.registry.tenants.set('marked', { limits }), PATIENCE)
    return client.hget(keys.tenant('marked'), 'state')
  }
}

/** A process that charges recipients of all tenants. */
class LoadedEngine {
  charged = 0
  unanswered = 0
  readonly critical: string[] = []
  readonly putBack: unknown[] = []
  private readonly engine: Engine
  private running = true

  constructor(settings: RedisSettings) {
    this.engine = new Engine(settings, {
      onReady: () => {},
      onRestriction: () => {},
      onError: () => {},
      onRedisError: () => {},
      onDrop: () => {},
      onUnusable: (message) => this.critical.push(message),
      onPutBack: (what) => this.putBack.push(what),
    })
    this.engine.follow()
    this.engine.leader.start()
    for (const tenant of TENANTS) void this.session(tenant)
  }

  tokenOf(tenant: string): string | undefined {
    return this.known(tenant)?.stateToken
  }

  isRestricted(tenant: string): boolean {
    return this.known(tenant)?.restricted !== undefined
  }

  stop(): void {
    this.running = false
    this.engine.leader.stop()
    this.engine.directory.stop()
    this.engine.store.client.disconnect()
  }

  private known(tenant: string) {
    const { directory } = this.engine
    const known = directory.peek(tenant)
    if (!known) void directory.load(tenant).catch(() => {})
    return known
  }

  private async session(tenant: string): Promise<void> {
    const { ledger } = this.engine
    while (this.running) {
      await sleep(PAUSE)
      const transaction = newTransaction()
      const { domainsToken, stateToken } = this.known(tenant) ?? {
        domainsToken: '',
        stateToken: '',
      }
      const charge = {
        ...({ tenant, meter: 'unregistered', transaction, ordinal: 1 } as const),
        ...{ domainsToken, domain: 'other.example', connector: '', ip: '192.0.2.1' },
      }
      try {
        const result = await ledger.charge(charge, DEFAULTS)
        this.engine.charged(tenant, result, stateToken)
        this.charged++
      } catch {
        this.unanswered++
        this.engine.refund(tenant, transaction, [1])
      }
    }
  }
}
