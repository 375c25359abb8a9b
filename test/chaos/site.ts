import { startHaraka, type TestHaraka } from '../../scripts/services/haraka'
import { startRedis, type TestRedis } from '../../scripts/services/redis'
import { TestDns } from '../support/dns'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'
import { newAddress, TestRelay } from '../support/relay'
import { keyZones, signer } from '../support/signed'
import { newHistory, type History } from './history'
import { OUTSIDER, type Sender } from './load'
import { Witness, witnessSource } from './witness'

export const SETTINGS_FILE = 'unregistered-domain.ini'
export const TENANTS_FILE = 'unregistered-domain.tenants.yaml'
/** ms; long enough for a busy machine. */
export const COMMAND_TIMEOUT = 1000

/** When Redis writes to disk: before it answers, or up to some seconds later. */
export type Durability = 'always' | 'everysec'

/** No run reaches it. */
export const ROOMY = 1_000_000
const ALLOWANCES = {
  roomy: { unregistered: ROOMY, null: ROOMY },
  // Exceeds its limit repeatedly.
  tight: { unregistered: 60, null: ROOMY },
  // Comes from the tenants file.
  filed: { unregistered: ROOMY, null: 40 },
  // Its mail may be a forward, so recipients are held, and counted at the end of DATA.
  forwards: { unregistered: ROOMY, null: ROOMY, forwarded: ROOMY },
}

/** Accepted domains of `roomy` that are removed in the run. */
export const OLD_DOMAINS = Array.from({ length: 9 }, (_, at) => `old${at}.example`)

/** Makes a Haraka use this name server. */
const NAME_SERVER = 'test_name_server'

/** The system under test: a persistent Redis, a proxy to it, and a Haraka with two workers. */
export class Site {
  readonly relay: TestRelay
  readonly witness: Witness
  readonly history: History = newHistory(ALLOWANCES)
  /** Workers replaced by a graceful restart; they may still have sessions. */
  readonly retired = new Set<number>()
  /** Workers that Haraka replaces when they die; see {@link Site.workers}. */
  readonly guarded = new Set<number>()
  /** Domains of `roomy` that have been removed. */
  readonly removed: { readonly domain: string; readonly at: number }[] = []
  /** Domains that valid versions of the tenants file have added to `filed`. */
  filedDomains = 1

  private constructor(
    readonly durability: Durability,
    readonly redis: TestRedis,
    readonly way: RedisProxy,
    readonly haraka: TestHaraka,
    private readonly dns: TestDns,
    readonly senders: Sender[],
  ) {
    this.relay = new TestRelay(redis, [haraka])
    this.witness = new Witness(haraka.dir)
  }

  static async start({
    durability,
    ...options
  }: {
    durability: Durability
    package?: string
  }): Promise<Site> {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', durability] })
    const way = await startRedisProxy(redis.port)
    const dns = await TestDns.start(keyZones([signer(OUTSIDER)]))
    const address = newAddress()
    const haraka = await startHaraka({
      ...options,
      nodes: 2,
      redis: way,
      settings: settings(),
      plugins: [NAME_SERVER, 'relay', 'unregistered-domain', Witness.plugin, 'test_sink'],
      localPlugins: {
        [NAME_SERVER]: `exports.register = () => require('node:dns').setServers(['${dns.address}'])`,
        [Witness.plugin]: witnessSource,
      },
      config: { [TENANTS_FILE]: tenantsFile(address, 1) },
    })
    const site = new Site(durability, redis, way, haraka, dns, [])
    for (const id of ['roomy', 'tight', 'forwards'] as const) {
      const { unregistered, null: nullLimit } = ALLOWANCES[id]
      const limits = {
        ...{ limits: `${unregistered}/1h`, nullLimits: `${nullLimit}/1h` },
        ...(id === 'forwards' && { forwardedLimits: `${ALLOWANCES[id].forwarded}/1h` }),
        ...(id === 'roomy' && { domains: ['roomy.example', ...OLD_DOMAINS] }),
      }
      const { domain, session } = await site.relay.tenant(id, limits)
      const forwards = id === 'forwards'
      site.senders.push({ tenant: id, domain, address: session.localAddress!, forwards })
    }
    await site.relay.attributed({ localAddress: address }, 'filed/mx')
    site.senders.push({ tenant: 'filed', domain: 'filed.example', address })
    for (const { pid } of site.witness.beginnings()) site.guarded.add(pid)
    return site
  }

  /** The workers that new sessions go to. */
  workers(): number[] {
    const killed = new Set(this.history.kills.map(({ pid }) => pid))
    return this.witness
      .beginnings()
      .map(({ pid }) => pid)
      .filter((pid) => !killed.has(pid) && !this.retired.has(pid))
  }

  /** The tenants file with this many domains of `filed`. */
  tenantsFile(domains: number): string {
    return tenantsFile(this.senders.find(({ tenant }) => tenant === 'filed')!.address, domains)
  }

  async stop(): Promise<void> {
    await this.haraka.stop()
    await this.dns.stop()
    await this.way.stop()
    await this.redis.stop()
  }
}

/** unregistered-domain.ini; its versions differ only in what changes no decision. */
export function settings(warnAt = '50, 80') {
  return {
    redis: { command_timeout: COMMAND_TIMEOUT },
    allowance: { warn_at: warnAt },
    forwarded: { enabled: true },
  }
}

export function filedDomain(number: number): string {
  return number === 1 ? 'filed.example' : `filed${number}.example`
}

function tenantsFile(address: string, domains: number): string {
  const { unregistered, null: nullLimit } = ALLOWANCES.filed
  const names = Array.from({ length: domains }, (_, at) => filedDomain(at + 1))
  return `
id: chaos
tenants:
  filed:
    limits: ${unregistered}/1h
    null_limits: ${nullLimit}/1h
    domains: [${names.join(', ')}]
    connectors:
      mx: { ip: [${address}/32] }
`
}
