import type { Defaults } from '../allowance/ledger'
import { formatWindow } from '../mail/limits'
import { USUAL_SCOPE } from '../mail/scope'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { Kept } from './kept'
import type { Part } from './part'
import type { MetricsSettings } from './settings'
import { single, type Sample, type Samples } from './text'
import { UsageWatch, type UsedWindow } from './usage-watch'

/** Restricted tenants, and those on probation, that have series: more would be an incident that needs no list. */
const MOST_RESTRICTED = 1000
/** Windows that have series, for each tenant that may have some: a meter has two by default. */
const WINDOWS = 2
/** What is known of a tenant may be too much, so the fullest are read until these are the fullest, or this often. */
const ROUNDS = 5

/** What tenants use, and which are restricted. */
export class Tenants implements Part {
  private readonly watch: UsageWatch
  private readonly refreshed: Kept<void>
  private readonly near: number

  /** @param patience how long to wait until all with new mail have been read, in ms. */
  constructor(
    private readonly store: Store,
    private readonly settings: MetricsSettings,
    defaults: Defaults,
    patience: number,
    commandTimeout: number,
  ) {
    this.watch = new UsageWatch(store, defaults, commandTimeout)
    this.refreshed = new Kept(() => this.watch.refresh(), patience)
    this.near = (defaults.warnAt[0] ?? 100) / 100
  }

  async read(): Promise<Samples> {
    const { client, keys } = this.store
    const now = await serverTime(client)
    const onProbation = [keys.onProbation, now, '+inf'] as const
    const [registered, restricted, probation, probationers] = await Promise.all([
      client.scard(keys.tenants),
      client.smembers(keys.restricted),
      client.zcount(...onProbation),
      client.zrangebyscore(...onProbation, 'LIMIT', 0, MOST_RESTRICTED),
      this.refreshed.latest(),
    ])
    const isShown = this.settings.tenantLabels
    const scopes = isShown ? await this.scopes(restricted, probationers) : []
    const used = isShown ? await this.fullest(new Set(restricted), new Set(probationers)) : []
    const shown = new Set([...scopes, ...used].map(({ labels }) => labels['tenant']!))
    const unused = restricted.filter((tenant) => !this.watch.has(tenant)).length
    const states = { registered, restricted: restricted.length, probation }
    const counts = { ...states, near_limit: this.watch.countFrom(this.near) }
    return {
      tenants: Object.entries(counts).map(([state, value]) => ({ labels: { state }, value })),
      tenant_restricted: scopes,
      tenant_used_recipients: used.map(({ labels, used: value }) => ({ labels, value })),
      tenant_limit_recipients: used.map(({ labels, limit: value }) => ({ labels, value })),
      tenant_usage_ratio: used.map(({ labels, ratio: value }) => ({ labels, value })),
      tenants_not_shown: single(Math.max(0, this.watch.size + unused - shown.size)),
    }
  }

  /** 1: restricted. 0: on probation, so that a restriction within probation can be told from the first one. */
  private async scopes(
    restricted: readonly string[],
    probationers: readonly string[],
  ): Promise<Sample[]> {
    const { client, keys } = this.store
    const tenants = restricted.toSorted().slice(0, MOST_RESTRICTED)
    const scopes = await Promise.all(
      tenants.map((tenant) => client.hget(keys.restriction(tenant), 'scope')),
    )
    const placed = tenants.flatMap((tenant, at) => {
      const scope = scopes[at]
      return scope ? [{ labels: { tenant, scope }, value: 1 }] : []
    })
    const among = new Set(restricted)
    const lifted = probationers
      .filter((tenant) => !among.has(tenant))
      .map((tenant) => ({ labels: { tenant, scope: USUAL_SCOPE }, value: 0 }))
    return [...placed, ...lifted]
  }

  /** The windows of the restricted tenants, then of those on probation, then of all others: the fullest first. */
  private async fullest(
    restricted: ReadonlySet<string>,
    probation: ReadonlySet<string>,
  ): Promise<(UsedWindow & Pick<Sample, 'labels'>)[]> {
    const { tenants: most } = this.settings
    const read = new Map<string, readonly UsedWindow[]>()
    let chosen: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const groups = [restricted, probation, undefined]
      const all = groups.flatMap((group) => this.watch.fullest(most, group))
      chosen = [...new Set(all)].slice(0, most)
      const unread = chosen.filter((tenant) => !read.has(tenant))
      if (unread.length === 0) break
      const windows = await Promise.all(unread.map((tenant) => this.watch.read(tenant)))
      unread.forEach((tenant, at) => read.set(tenant, windows[at]!))
    }
    return chosen
      .flatMap((tenant) =>
        (read.get(tenant) ?? []).map((each) => {
          const { meter, window } = each
          return { ...each, labels: { tenant, meter, window: formatWindow(window) } }
        }),
      )
      .slice(0, WINDOWS * most)
  }
}
