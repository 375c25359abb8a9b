import { after, before } from 'node:test'
import { removeTenant } from '../../src/registry/tenant-removal'
import {
  startHaraka,
  type StartHarakaOptions,
  type TestHaraka,
} from '../../scripts/services/haraka'
import { startRedis, type TestRedis } from '../../scripts/services/redis'
import type { Mail, Sent, SessionOptions, SmtpClient } from '../../scripts/services/smtp'
import { Ledger } from '../../src/allowance/ledger'
import type { Meter } from '../../src/mail/meters'
import { parseLimits } from '../../src/mail/limits'
import type { Usage, WindowUsage } from '../../src/allowance/usage'
import { Restrictions, type Restriction } from '../../src/allowance/restriction'
import { Keys } from '../../src/store/keys'
import { Store, type Client } from '../../src/store/store'
import type { RawIdentities } from '../../src/mail/identities'
import { Registries } from './registries'
import type { Mode } from '../../src/mail/mode'

/** Options of startRelay(); options of startHaraka() apply to every host. */
export interface StartRelayOptions extends Omit<StartHarakaOptions, 'redis'> {
  /** How many Harakas share the Redis; default 1. */
  hosts?: number
}

/** The setup of a tenant. */
export interface TenantOptions {
  limits?: string
  nullLimits?: string
  forwardedLimits?: string
  mode?: Mode
  /** Accepted domains; default: `ID.example` without its subdomains. */
  domains?: (string | { domain: string; subdomains?: boolean; shared?: boolean })[]
  /** Default: `mx`, with a new address (see `TestTenant.session`). */
  connectors?: Record<string, RawIdentities>
}

/** The name that registers what the tests need. */
const BY = 'test'

/** Starts one Redis and one or more Harakas on it, with no tenants. */
export async function startRelay({
  hosts = 1,
  ...options
}: StartRelayOptions = {}): Promise<TestRelay> {
  const redis = await startRedis()
  const starting = Array.from({ length: hosts }, () => startHaraka({ ...options, redis }))
  return new TestRelay(redis, await Promise.all(starting))
}

let shared: Promise<TestRelay> | undefined
let users = 0

/**
 * The relay with default settings, one for all files of this process, each of which begins without tenants. For tests
 * that change only tenants.
 *
 * @param use receives it before the first test.
 */
export function sharedRelay(use: (relay: TestRelay) => void): void {
  users++
  before(async () => use(await (shared ??= startRelay())))
  after(async () => {
    const relay = await shared
    users--
    if (users === 0) await relay?.stop()
    else await relay?.removeTenants()
  })
}

let addresses = 0

/** A loopback address that is new in this process (Linux answers on all of 127.0.0.0/8). */
export function newAddress(): string {
  addresses += 1
  return `127.77.${Math.floor(addresses / 250)}.${(addresses % 250) + 1}`
}

/** The Redis of a relay: one server, or several that act as one. */
export interface RelayRedis {
  /** A new client, closed by stop(). */
  client(): Client
  stop(): Promise<void>
}

/** One Redis, the Harakas on it, and an operator's actions. */
export class TestRelay<Server extends RelayRedis = TestRedis> {
  readonly store: Store
  readonly registry: Registries
  readonly restrictions: Restrictions
  readonly #ledger: Ledger

  constructor(
    readonly redis: Server,
    readonly hosts: TestHaraka[],
  ) {
    this.store = new Store(redis.client(), new Keys('ud:'))
    this.registry = new Registries(this.store)
    this.restrictions = new Restrictions(this.store)
    this.#ledger = new Ledger(this.store, 5000)
  }

  /** The first host. */
  get haraka(): TestHaraka {
    const [first] = this.hosts
    if (!first) throw new Error('this relay has no host')
    return first
  }

  /**
   * Registers a tenant and waits until every process of every host has it with its domains and connectors. It has no
   * usage then.
   */
  async tenant(id: string, options: TenantOptions = {}): Promise<TestTenant> {
    const { domains = [`${id}.example`], limits, nullLimits, forwardedLimits, mode } = options
    const address = newAddress()
    const { connectors = { mx: { ip: [`${address}/32`] } } } = options
    const settings = {
      ...(limits !== undefined && { limits }),
      ...(nullLimits !== undefined && { nullLimits }),
      ...(forwardedLimits !== undefined && { forwardedLimits }),
      ...(mode !== undefined && { mode }),
    }
    await this.registry.tenants.add(id, settings, BY)
    const entries = domains.map((entry) => {
      const all = typeof entry === 'string' ? { domain: entry } : entry
      return { subdomains: false, shared: false, ...all }
    })
    if (entries.length > 0) await this.registry.domains.add(id, entries, BY)
    for (const [name, identities] of Object.entries(connectors)) {
      await this.registry.connectors.add(id, name, identities, BY)
    }
    const tenant = new TestTenant(this, id, entries[0]?.domain ?? `${id}.example`, {
      localAddress: address,
    })
    if (!options.connectors) await this.attributed(tenant.session, `${id}/mx`)
    return tenant
  }

  /** Adds a connector with a new address; returns the session that it recognises. */
  async connector(tenant: string, name: string): Promise<SessionOptions> {
    const localAddress = newAddress()
    await this.registry.connectors.add(tenant, name, { ip: [`${localAddress}/32`] }, BY)
    await this.attributed({ localAddress }, `${tenant}/${name}`)
    return { localAddress }
  }

  /** Waits until every process of every host attributes such a session to this connector (null: to none). */
  async attributed(session: SessionOptions, connector: string | null): Promise<void> {
    const tenant = connector?.split('/')[0]
    const domains = tenant === undefined ? [] : await this.registry.domains.list(tenant)
    // From the tenant's own domain, so that nothing is charged.
    const address = `probe@${domains[0]?.domain ?? 'probe.example'}`
    await Promise.all(this.hosts.map((host) => host.attributed(session, connector, address)))
  }

  /** Recipients charged in the tenant's first window, or in the one of this length (ms). */
  async used(tenant: string, meter: Meter = 'unregistered', window?: number): Promise<number> {
    const windows = await this.windows(tenant, meter)
    const found = windows.find((each) => window === undefined || each.window === window)
    if (!found) throw new Error(`${tenant} has no such window`)
    return found.used
  }

  /** The windows of a tenant's meter. */
  async windows(tenant: string, meter: Meter = 'unregistered'): Promise<readonly WindowUsage[]> {
    return (await this.#usage(tenant))[meter] ?? []
  }

  /** The number of held recipients. */
  async held(tenant: string): Promise<number> {
    return (await this.#usage(tenant)).held
  }

  async #usage(tenant: string): Promise<Usage> {
    const defaults = parseLimits('300/1h, 1500/1d')
    const usage = await this.#ledger.usage(tenant, {
      ...{ limits: defaults, nullLimits: defaults, mode: 'enforce', override: undefined },
    })
    if (!usage) throw new Error(`there is no tenant ${tenant}`)
    return usage
  }

  restriction(tenant: string): Promise<Restriction | undefined> {
    return this.restrictions.get(tenant)
  }

  lift(tenant: string, { keepUsage = false } = {}): ReturnType<Restrictions['lift']> {
    return this.restrictions.lift(tenant, { by: BY, reason: 'cleaned', keepUsage })
  }

  async removeTenants(): Promise<void> {
    for (const { tenant } of await this.restrictions.list()) await this.lift(tenant)
    for (const { id } of await this.registry.tenants.list())
      await removeTenant(this.registry.store, id)
  }

  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.stop()))
    await this.redis.stop()
  }
}

/** A tenant of a TestRelay. */
export class TestTenant {
  constructor(
    readonly relay: TestRelay<RelayRedis>,
    readonly id: string,
    /** Its first accepted domain. */
    readonly domain: string,
    /** The session that its connector `mx` recognises. */
    readonly session: SessionOptions,
  ) {}

  /** A new session, on the first host by default. */
  connect({
    on = this.relay.haraka,
    ...more
  }: SessionOptions & { on?: TestHaraka } = {}): Promise<SmtpClient> {
    return on.connect({ ...this.session, ...more })
  }

  /** One message in a new session. */
  async send(mail: Mail, { on = this.relay.haraka } = {}): Promise<Sent> {
    return on.send({ ...mail, session: this.session })
  }

  used(meter?: Meter, window?: number): Promise<number> {
    return this.relay.used(this.id, meter, window)
  }

  held(): Promise<number> {
    return this.relay.held(this.id)
  }

  restriction(): Promise<Restriction | undefined> {
    return this.relay.restriction(this.id)
  }
}
