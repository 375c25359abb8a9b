import type { Redis } from 'ioredis'
import type { ChargeResult } from '../../src/allowance/charge-answer'
import { Ledger, type Charge, type Defaults } from '../../src/allowance/ledger'
import { parseLimits } from '../../src/mail/limits'
import type { Usage, WindowUsage } from '../../src/allowance/usage'
import {
  Restrictions,
  type ProbationTerms,
  type Restriction,
} from '../../src/allowance/restriction'
import type { Event } from '../../src/records/event'
import type { Store } from '../../src/store/store'
import type { Registries } from './registries'
import type { TenantSettings } from '../../src/registry/tenant-registry'
import { NOON, TestClock } from './clock'
import { newSite } from './registry'

/** Longer than any test's clock moves, so that nothing is late; and a time far back, so that everything is. */
const FOR_EVER = 1e13
const LONG_AGO = -1e12

/** The default meter of a test. */
export const DEFAULTS: Defaults = {
  limits: parseLimits('3/1h'),
  nullLimits: parseLimits('2/1h'),
  mode: 'enforce',
  override: undefined,
  warnAt: [50, 80, 95],
  forwards: 'refuse',
}

/** One recipient, with defaults for what a test does not set. */
export type ChargeOptions = Partial<Charge> & {
  defaults?: Partial<Defaults>
}

/** Replacements for parts of the sources. */
export interface AllowanceOptions {
  /** Other sources for scripts or their includes, by name. */
  scripts?: Readonly<Record<string, string>>
  StoreClass?: typeof Store
  /** Default: a new connection. */
  client?: Redis
}

/** Tenants with their meters, on their own clock. Needs `useRedis()`. */
export class Allowance {
  readonly clock = new TestClock()
  readonly store: Store
  readonly registry: Registries
  readonly restrictions: Restrictions
  readonly ledger: Ledger
  /** All its charges are late. */
  readonly late: Ledger
  private transactions = 0

  private constructor({ scripts = {}, StoreClass, client }: AllowanceOptions) {
    const sources = { ...this.clock.includes, ...scripts }
    const { store, registry } = newSite(sources, StoreClass, client)
    this.store = store
    this.registry = registry
    this.restrictions = new Restrictions(store)
    this.ledger = new Ledger(store, FOR_EVER)
    this.late = new Ledger(store, LONG_AGO)
  }

  /** With the tenant `contoso`, unless `settings` is undefined. */
  static async create(
    settings: TenantSettings | undefined = {},
    options: AllowanceOptions = {},
  ): Promise<Allowance> {
    const allowance = new Allowance(options)
    await allowance.clock.set(allowance.store, NOON)
    await allowance.registry.tenants.add('contoso', settings, 'test')
    // A store that reads the time first would give up before it sends anything.
    await allowance.late.preview(await allowance.recipient(), DEFAULTS)
    return allowance
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(this.store, ms)
  }

  /** A transaction with a unique id. */
  transaction(): string {
    return `F1A2.${++this.transactions}`
  }

  /** A recipient as the hooks count it; by default with a new transaction. */
  async recipient(options: ChargeOptions = {}): Promise<Charge> {
    const { domain = 'other.example', tenant = 'contoso' } = options
    return {
      tenant,
      meter: options.meter ?? 'unregistered',
      transaction: options.transaction ?? this.transaction(),
      ordinal: options.ordinal ?? 1,
      last: options.last,
      domainsToken: options.domainsToken ?? (await this.domainsToken(tenant)),
      domain,
      connector: options.connector ?? `${tenant}/mx`,
      ip: options.ip ?? '192.0.2.1',
    }
  }

  async charge(options: ChargeOptions = {}): Promise<ChargeResult> {
    return this.ledger.charge(await this.recipient(options), { ...DEFAULTS, ...options.defaults })
  }

  /** The answers to a number of recipients, each in a new transaction. */
  async answers(count: number, options: ChargeOptions = {}): Promise<string[]> {
    const answers: string[] = []
    for (let at = 0; at < count; at++) answers.push((await this.charge(options)).answer)
    return answers
  }

  async usage(tenant = 'contoso', defaults: Partial<Defaults> = {}): Promise<Usage> {
    const usage = await this.ledger.usage(tenant, { ...DEFAULTS, ...defaults })
    if (!usage) throw new Error(`there is no tenant ${tenant}`)
    return usage
  }

  /** The usage of the windows of the unregistered meter. */
  async used(tenant = 'contoso', defaults: Partial<Defaults> = {}): Promise<number[]> {
    return (await this.usage(tenant, defaults)).unregistered.map(({ used }: WindowUsage) => used)
  }

  restriction(tenant = 'contoso'): Promise<Restriction | undefined> {
    return this.restrictions.get(tenant)
  }

  lift(
    keepUsage = false,
    tenant = 'contoso',
    probation?: ProbationTerms,
  ): ReturnType<Restrictions['lift']> {
    const act = { by: 'anna', reason: 'cleaned', keepUsage }
    return this.restrictions.lift(tenant, probation ? { ...act, probation } : act)
  }

  block(scope: 'unregistered' | 'all', tenant = 'contoso'): Promise<unknown> {
    return this.restrictions.place(tenant, { scope, by: 'anna', reason: 'abuse desk' })
  }

  /** The events that wait for the stream. */
  async events(tenant = 'contoso'): Promise<Event[]> {
    const { client, keys } = this.store
    const lines = (await client.hget(keys.tenant(tenant), 'events')) ?? ''
    return lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Event]))
  }

  async domainsToken(tenant = 'contoso'): Promise<string> {
    const { client, keys } = this.store
    return (await client.hget(keys.tenant(tenant), 'domains')) ?? ''
  }

  /** Everything in Redis below the prefix of this test. */
  async everything(): Promise<Record<string, string>> {
    const { client, keys } = this.store
    const names = (await client.keys(`${keys.prefix}*`)).sort()
    const dumps = await Promise.all(names.map((name) => client.dumpBuffer(name)))
    return Object.fromEntries(names.map((name, at) => [name, String(dumps[at]?.toString('hex'))]))
  }
}
