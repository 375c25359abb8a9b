import { performance } from 'node:perf_hooks'
import { coalesced } from '../base/coalesce'
import { within } from '../base/deadline'
import type { Defaults } from '../allowance/ledger'
import { isNotAllowed, redisFailure } from '../store/failure'
import type { Store } from '../store/store'
import { Alerts } from './alerts'
import { Counters } from './counters'
import type { FamilyName } from './families'
import type { Part } from './part'
import { Processes } from './processes'
import { RedisPart } from './redis'
import { Registry } from './registry'
import type { MetricsSettings } from './settings'
import { Tenants } from './tenants'
import { metricsText, single, type Samples } from './text'

/** The default of {@link ExporterContext.cached}. */
const CACHED = 5000
/** Longest wait for Redis, in ms. */
const LONGEST = 1500
/** Longest wait for what goes on in the background, in ms. */
const PATIENCE = 50

/** What is shown as it was known last while Redis is away. */
const REMEMBERED: readonly FamilyName[] = [
  ...(['tenants', 'tenant_restricted', 'connectors', 'cases_open', 'enforcement_paused'] as const),
]

/** What an exporter needs. */
export interface ExporterContext {
  readonly store: Store
  readonly settings: MetricsSettings
  readonly defaults: Defaults
  /** Of the connection, in ms. */
  readonly commandTimeout: number
  readonly version: string
  /** Metrics are left out until an operator acts; once for each reason. */
  readonly onTrouble: (reason: string) => void
  /** How long to wait for what needs several readings, in ms: for a single text longer than for one of many. */
  readonly patience?: number
  /** How long a text is given to all that ask, in ms. */
  readonly cached?: number
}

/** Makes the text of all metrics. */
export class Exporter {
  private readonly parts: readonly Part[]
  private readonly told = new Set<string>()
  private remembered: Samples = {}
  private latest = ''
  private made = -Infinity
  private readonly make = coalesced(async () => {
    // The one before may just have been made.
    if (performance.now() - this.made < (this.context.cached ?? CACHED)) return
    this.latest = await this.scrape()
    this.made = performance.now()
  })

  constructor(private readonly context: ExporterContext) {
    const { store, settings, defaults, commandTimeout, patience = PATIENCE } = context
    this.parts = [
      new RedisPart(store),
      new Counters(store),
      new Registry(store, patience),
      new Tenants(store, settings, defaults, patience, commandTimeout),
      new Alerts(store),
      new Processes(store),
    ]
  }

  /** The text, at most 5 s old; those who ask at the same time share one. Never rejects. */
  async text(): Promise<string> {
    await this.make()
    return this.latest
  }

  private async scrape(): Promise<string> {
    const began = performance.now()
    const read = await this.read()
    if (read) {
      this.remembered = Object.fromEntries(REMEMBERED.map((family) => [family, read[family] ?? []]))
    }
    return metricsText({
      ...(read ?? this.remembered),
      build_info: [{ labels: { version: this.context.version }, value: 1 }],
      redis_up: single(read ? 1 : 0),
      scrape_duration_seconds: single((performance.now() - began) / 1000),
    })
  }

  /** `undefined`: Redis is away. */
  private async read(): Promise<Samples | undefined> {
    const { store, patience = 0 } = this.context
    if (store.client.status !== 'ready') return undefined
    try {
      const all = Promise.all(this.parts.map((part) => this.readPart(part)))
      return Object.assign({}, ...(await within(LONGEST + patience, all))) as Samples
    } catch {
      return undefined
    }
  }

  /** What the Redis user may not read is left out. */
  private async readPart(part: Part): Promise<Samples> {
    try {
      return await part.read()
    } catch (error) {
      if (!isNotAllowed(error)) throw error
      const reason = `${redisFailure(error)}: load docs/acl/tenantctl-read.acl`
      if (!this.told.has(reason)) this.context.onTrouble(reason)
      this.told.add(reason)
      return {}
    }
  }
}
