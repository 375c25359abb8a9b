import type { UnusualConfig } from './settings'
import { noSuchTenant } from '../base/errors'
import { DAY } from '../reporting/calendar'
import { SEEN_TTL } from '../reporting/bounds'
import { ReportReader } from '../reporting/reader'
import { mapLimited } from '../base/limiter'
import type { Store } from '../store/store'
import { readConnectors } from '../registry/connector-reader'
import type { Connector } from '../mail/tenant'
import { HistoryReader, type Moment } from './history-reader'
import { findUntidy, type Untidy } from './hygiene'
import { OpenRules } from './open-rules'
import type { RuleName } from './rule'
import { findUnusual, RULES, type Finding } from './rules'

/** Tenants asked for at the same time. */
const BATCH = 8
/** Who has sent nothing unregistered for so long can be in no rule: steady looks back farthest. */
const LONG = 9 * DAY

/** A rule that says nothing, since too little is known of what the tenant sends. */
export interface Waiting {
  readonly rule: RuleName
  /** Until when, in ms; `undefined`: for ever, since [report] days keeps too little for it. */
  readonly until: number | undefined
}

/** What is unusual about a tenant now, and what should be tidied up. */
export interface Overview {
  readonly tenant: string
  readonly rules: readonly (Finding & {
    /** The event that told of it, and since when, in ms; `undefined`: it has not been told yet. */
    readonly told: { readonly event: string; readonly since: number } | undefined
  })[]
  readonly waiting: readonly Waiting[]
  readonly untidy: readonly Untidy[]
}

/** Reads and computes afresh what is unusual. Writes nothing. */
export class OverviewReader {
  private readonly histories: HistoryReader
  private readonly open: OpenRules
  private readonly reports: ReportReader

  constructor(
    private readonly store: Store,
    private readonly config: UnusualConfig,
  ) {
    this.histories = new HistoryReader(store, config)
    this.open = new OpenRules(store)
    this.reports = new ReportReader(store)
  }

  /** @throws {NotFoundError} no such tenant. */
  async one(tenant: string): Promise<Overview> {
    const moment = await this.histories.moment()
    const rules = await this.rulesOf(tenant, moment)
    if (!rules) throw noSuchTenant(tenant)
    const connectors = await this.connectorsByTenant(tenant)
    return { tenant, ...rules, untidy: await this.untidy(tenant, moment, connectors.get(tenant)) }
  }

  /** All tenants about which there is anything to say, by id. */
  async all(): Promise<Overview[]> {
    const moment = await this.histories.moment()
    const active = await this.activeTenants(moment)
    const connectors = await this.connectorsByTenant()
    const tenants = [...new Set([...active, ...connectors.keys()])].sort()
    const overviews = await mapLimited(tenants, BATCH, async (tenant) => {
      const rules = active.has(tenant) ? await this.rulesOf(tenant, moment) : undefined
      const untidy = await this.untidy(tenant, moment, connectors.get(tenant))
      return { tenant, rules: [], waiting: [], ...rules, untidy }
    })
    return overviews.filter(({ rules, untidy }) => rules.length + untidy.length > 0)
  }

  private async rulesOf(
    tenant: string,
    moment: Moment,
  ): Promise<Pick<Overview, 'rules' | 'waiting'> | undefined> {
    const { unusual, report } = this.config
    const history = await this.histories.read(tenant, moment)
    if (!history) return undefined
    const told = new Map((await this.open.of(tenant)).map((each) => [each.rule, each]))
    const rules = findUnusual(history, unusual).map((finding) => ({
      ...finding,
      told: told.get(finding.rule),
    }))
    const waiting = RULES.flatMap(({ name, needs }) => {
      const until = history.knownSince + needs(unusual)
      if (until <= history.now) return []
      return { rule: name, until: report.days * DAY > needs(unusual) + DAY ? until : undefined }
    })
    return { rules, waiting }
  }

  private async untidy(
    tenant: string,
    { now, recordedSince }: Moment,
    connectors: readonly Connector[] = [],
  ): Promise<Untidy[]> {
    if (connectors.length === 0) return []
    const seen = await this.reports.connectorsSeen(tenant)
    const knownSince = Math.max(recordedSince, now - SEEN_TTL)
    return findUntidy(connectors, { now, knownSince, seen })
  }

  private async activeTenants({ now, restrictions }: Moment): Promise<Set<string>> {
    const { client, keys } = this.store
    const reported = await client.zrangebyscore(keys.reported, now - LONG, '+inf')
    return new Set([...reported, ...restrictions.keys(), ...(await this.open.tenants())])
  }

  /** The connectors of one tenant, or of all. */
  private async connectorsByTenant(tenant?: string): Promise<Map<string, Connector[]>> {
    const connectors = new Map<string, Connector[]>()
    await readConnectors(this.store, (connector) => {
      if (tenant !== undefined && connector.tenant !== tenant) return
      const there = connectors.get(connector.tenant)
      if (there) there.push(connector)
      else connectors.set(connector.tenant, [connector])
    })
    return connectors
  }
}
