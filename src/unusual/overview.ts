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

/** Tenants read concurrently. */
const BATCH = 8
/** Without unregistered mail for this long, no rule can hold: steady looks back farthest. */
const LONG = 9 * DAY

/** A rule without a result, since the tenant's history is too short. */
export interface Waiting {
  readonly rule: RuleName
  /** When it can have one, in ms; `undefined`: never, since [report] days is too small. */
  readonly until: number | undefined
}

/** The rules that hold for a tenant, and problems of its connectors. */
export interface Overview {
  readonly tenant: string
  readonly rules: readonly (Finding & {
    /** Its event, and since when in ms; `undefined`: not raised yet. */
    readonly raised: { readonly event: string; readonly since: number } | undefined
  })[]
  readonly waiting: readonly Waiting[]
  readonly untidy: readonly Untidy[]
}

/** Evaluates the rules afresh. Writes nothing. */
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

  /** All tenants with a rule or a problem, by id. */
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
    const raised = new Map((await this.open.of(tenant)).map((each) => [each.rule, each]))
    const rules = findUnusual(history, unusual).map((finding) => ({
      ...finding,
      raised: raised.get(finding.rule),
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
