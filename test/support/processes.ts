import type { TestContext } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { Restrictions } from '../../src/allowance/restriction'
import { readTenantAudit } from '../../src/audit/reader'
import { Engine } from '../../src/process/engine'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { settingsFor } from './connection'
import { startRedis, type TestRedis } from './redis'
import { startRedisProxy, type RedisProxy } from './redis-proxy'
import { Registries } from './registries'
import { saveMoment, WAYS_BACK } from './went-back'

const PLAIN = { subdomains: false, shared: false }
const [BY_RDB] = WAYS_BACK

/** One process, and its way to Redis. */
export class TestProcess {
  readonly errors: string[] = []
  readonly engine: Engine

  private constructor(
    private readonly site: ProcessSite,
    readonly way: RedisProxy,
  ) {
    this.engine = new Engine(settingsFor(way), {
      onReady() {},
      onRestriction() {},
      onError: (message) => this.errors.push(message),
      onRedisError() {},
      onDrop() {},
    })
    this.engine.follow()
  }

  static async start(site: ProcessSite): Promise<TestProcess> {
    const process = new TestProcess(site, await startRedisProxy(site.redis.port))
    await waitFor(() => process.engine.directory.isCurrent)
    await process.hasHeard()
    return process
  }

  /** Resolves when it has heard of all that has been announced until now. */
  async hasHeard(): Promise<void> {
    const mark = `mark ${Math.random()}`
    const { client, keys } = this.site.store
    const isHeard = (): boolean => this.errors.some((each) => each.includes(mark))
    await waitFor(async () => isHeard() || (await client.publish(keys.changes, mark), isHeard()))
  }

  /** The scope of the restriction by which it refuses mail of a tenant. */
  async scopeOf(tenant: string): Promise<string | undefined> {
    return (await this.engine.directory.load(tenant))?.restricted
  }

  async stop(): Promise<void> {
    this.engine.directory.stop()
    this.engine.store.client.disconnect()
    await this.way.stop()
  }
}

/** One Redis with the tenant `contoso`, the operator's side, and some processes. */
export class ProcessSite {
  readonly store: Store
  readonly registry: Registries
  readonly restrictions: Restrictions
  readonly processes: TestProcess[] = []

  private constructor(readonly redis: TestRedis) {
    this.store = new Store(redis.client(), new Keys('ud:'))
    this.registry = new Registries(this.store)
    this.restrictions = new Restrictions(this.store)
  }

  static async open(t: TestContext, processes: number): Promise<ProcessSite> {
    const redis = await startRedis({ args: BY_RDB!.args })
    t.after(() => redis.stop())
    const site = new ProcessSite(redis)
    await site.registry.tenants.add('contoso', { limits: '1/1h' }, 'ann')
    await site.registry.domains.add('contoso', [{ domain: 'contoso.com', ...PLAIN }], 'ann')
    await site.registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1/32'] }, 'ann')
    for (let left = processes; left > 0; left--) site.processes.push(await TestProcess.start(site))
    t.after(() => Promise.all(site.processes.map((each) => each.stop())))
    return site
  }

  /** @returns brings Redis back to this moment. */
  save(): Promise<() => Promise<void>> {
    return saveMoment(this.redis, BY_RDB!)
  }

  /** Resolves when all processes have heard of all that has been announced until now, and have read what they read then. */
  async allHaveHeard(): Promise<void> {
    await Promise.all(this.processes.map((each) => each.hasHeard()))
    await waitFor(async () => {
      await this.redis.resetCommandStats()
      await Promise.all(this.processes.map(({ engine }) => engine.store.client.ping()))
      return Object.keys(await this.redis.commandStats()).every((command) => command === 'ping')
    })
  }

  /** The restriction that Redis holds. */
  held(): Promise<Record<string, string>> {
    return this.store.client.hgetall(this.store.keys.restriction('contoso'))
  }

  /** Entries of the audit trail about what was put back. */
  async putBack(): Promise<string[]> {
    const entries = await readTenantAudit(this.store, 'contoso', 0)
    return entries.map(({ what }) => what).filter((what) => what.endsWith('put back'))
  }

  /** Waits until all processes refuse, or accept, unregistered mail of contoso. */
  async allSay(scope: string | undefined): Promise<void> {
    for (const process of this.processes) {
      await waitFor(async () => (await process.scopeOf('contoso')) === scope, {
        what: `the scope of the restriction is ${scope}`,
      })
    }
  }
}
