import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { startHaraka, type StartHarakaOptions } from '../../scripts/services/haraka'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { waitFor } from '../../scripts/services/wait-for'
import type { ChargeResult } from '../../src/allowance/charge-answer'
import { Ledger, type Charge, type Defaults } from '../../src/allowance/ledger'
import { Restrictions } from '../../src/allowance/restriction'
import { connect, connectSubscriber } from '../../src/store/connection'
import type { RedisSettings } from '../../src/store/settings'
import { Keys } from '../../src/store/keys'
import { Outbox } from '../../src/store/outbox'
import { Store, type Client } from '../../src/store/store'
import { Registries } from './registries'
import { DEFAULTS } from './allowance'
import { settingsFor } from './connection'
import { scriptsIn } from './lua'
import { TestRelay, type RelayRedis } from './relay'

let transactions = 0

/** Records which scripts have run and been answered. */
class NotingStore extends Store {
  readonly ran = new Set<string>()

  override async call(...[prepared, values]: Parameters<Store['call']>): Promise<unknown> {
    const reply = await super.call(prepared, values)
    this.ran.add(prepared.script.name)
    return reply
  }

  override async runForOctets(
    ...[script, ...rest]: Parameters<Store['runForOctets']>
  ): Promise<unknown> {
    const reply = await super.runForOctets(script, ...rest)
    this.ran.add(script.name)
    return reply
  }
}

/** The plugin's parts in one process on a Redis Cluster, over the plugin's own connection. */
export class ClusterSite {
  /** Refunds that Redis did not receive or finally refused. */
  readonly errors: string[] = []
  readonly client: Client
  readonly store: NotingStore
  readonly registry: Registries
  readonly restrictions: Restrictions
  readonly ledger: Ledger
  readonly outbox: Outbox
  private readonly settings: RedisSettings

  private constructor(cluster: TestCluster, commandTimeout: number) {
    this.settings = settingsFor(cluster.nodes[0]!, { cluster: cluster.endpoints, commandTimeout })
    this.client = connect(this.settings, (message) => this.errors.push(message))
    this.store = new NotingStore(this.client, new Keys('ud:'))
    this.registry = new Registries(this.store)
    this.restrictions = new Restrictions(this.store)
    this.ledger = new Ledger(this.store, commandTimeout)
    this.outbox = new Outbox(this.client, 100_000, (reason) => this.errors.push(reason))
  }

  /** @param commandTimeout in ms; the default suffices on a busy machine. */
  static async open(cluster: TestCluster, { commandTimeout = 10_000 } = {}): Promise<ClusterSite> {
    const site = new ClusterSite(cluster, commandTimeout)
    await waitFor(() => site.client.status === 'ready')
    return site
  }

  /** A connection for the changes that a Directory follows. */
  subscriber(): Client {
    return connectSubscriber(this.settings, this.client, (message) => this.errors.push(message))
  }

  /** Counts one unregistered recipient of other.example; by default in a new transaction. */
  async charge(
    tenant: string,
    options: Partial<Charge> & { defaults?: Partial<Defaults>; ledger?: Ledger } = {},
  ): Promise<ChargeResult> {
    const { defaults, ledger = this.ledger, ...given } = options
    const domainsToken = given.domainsToken ?? (await this.domainsToken(tenant))
    const charge: Charge = {
      ...{ tenant, meter: 'unregistered', transaction: newTransaction(), ordinal: 1, domainsToken },
      ...{ domain: 'other.example', connector: `${tenant}/mx`, ip: '192.0.2.1' },
      ...given,
    }
    return ledger.charge(charge, { ...DEFAULTS, ...defaults })
  }

  async domainsToken(tenant: string): Promise<string> {
    return (await this.client.hget(this.store.keys.tenant(tenant), 'domains')) ?? ''
  }

  /** Unregistered recipients in the tenant's first window. */
  async used(tenant: string): Promise<number> {
    const usage = await this.ledger.usage(tenant, DEFAULTS)
    if (!usage) throw new Error(`there is no tenant ${tenant}`)
    return usage.unregistered[0]?.used ?? 0
  }

  /** In the background, as the engine does it after a trip. */
  indexRestriction(tenant: string): void {
    this.outbox.send('@restricted', () => this.restrictions.index(tenant))
  }

  close(): void {
    this.client.disconnect()
  }
}

/** A process on a Redis Cluster, both for the tests of this suite. */
export function useClusterSite(): () => ClusterSite {
  let cluster: TestCluster | undefined
  let site: ClusterSite | undefined
  before(async () => {
    cluster = await startRedisCluster()
    site = await ClusterSite.open(cluster)
  })
  after(async () => {
    site?.close()
    await cluster?.stop()
  })
  return () => site!
}

/** Asserts that every script of these folders of `src` has run on one of the sites. */
export function assertAllRan(sites: readonly ClusterSite[], fits: (folder: string) => boolean) {
  const ran = new Set(sites.flatMap(({ store }) => [...store.ran]))
  const scripts = [...scriptsIn(fits).keys()]
  assert.notEqual(scripts.length, 0)
  assert.deepEqual(
    scripts.filter((name) => !ran.has(name)),
    [],
  )
}

/** A transaction with an id unique in this process. */
export function newTransaction(): string {
  return `F1A2.${++transactions}`
}

/** The Redis of a relay: a cluster, and one of our clients. */
export interface RelayCluster extends RelayRedis {
  readonly cluster: TestCluster
  readonly site: ClusterSite
}

/** A Haraka on a cluster, with `[redis] cluster[]` naming all of its nodes; its stop() ends the cluster, too. */
export async function startClusterRelay(
  cluster: TestCluster,
  { settings = {}, ...options }: Omit<StartHarakaOptions, 'redis'> = {},
): Promise<TestRelay<RelayCluster>> {
  const redis = { ...settings['redis'], cluster: cluster.addresses }
  const haraka = await startHaraka({ ...options, settings: { ...settings, redis } })
  const site = await ClusterSite.open(cluster)
  const client = (): Client => site.client
  const stop = async (): Promise<void> => {
    site.close()
    await cluster.stop()
  }
  return new TestRelay({ cluster, site, client, stop }, [haraka])
}
