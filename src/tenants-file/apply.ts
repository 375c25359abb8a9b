import { NotFoundError, RefusedError, UserError } from '../base/errors'
import { findPlanObstacles, yields, type PlanObstacle } from './apply-obstacles'
import { planTenant, type PlanOptions, type TenantPlan } from './apply-plan'
import { connectorBlocked, ConnectorRegistry } from '../registry/connector-registry'
import { connectorId } from '../mail/identities'
import { DomainRegistry } from '../registry/domain-registry'
import type { Store } from '../store/store'
import { TenantRegistry } from '../registry/tenant-registry'
import { removeTenant, tenantRestricted } from '../registry/tenant-removal'
import type { FileTenant, TenantsFile } from './tenants-file'
import type { Connector } from '../mail/tenant'
import { atPlace, type Place } from './yaml-reader'

/** What stands for this file as the one who registers something. */
export function fileSource(id: string): string {
  return `file:${id}`
}

export interface ApplyOptions {
  /** Writes nothing, and reports what would be done. */
  readonly dryRun?: boolean
  /** Removes what the file of this id no longer holds; never a restricted tenant or a blocked connector. */
  readonly prune?: boolean
  /** What else is to be done where a tenant has been removed. */
  readonly onRemoved?: (tenant: string) => Promise<void>
}

/** What applying a file did, or would do. The texts are for people: `domain contoso.com of contoso`. */
export interface ApplyReport {
  readonly added: string[]
  readonly updated: string[]
  /** Tenants, domains and connectors that were as the file says. */
  unchanged: number
  /** What came from the file of this id, is not in it any more, and stays. */
  readonly left: string[]
  readonly removed: string[]
  /** What was to be pruned and must stay, with the reason. */
  readonly refused: string[]
  readonly errors: ApplyError[]
}

/** Why nothing of a tenant was applied. */
export interface ApplyError {
  readonly tenant: string
  /** `FILE:LINE:COLUMN: tenant ID: what, and what to do` */
  readonly message: string
  readonly line: number
  readonly column: number
}

/**
 * Adds and updates what the file holds, in place; what the file does not mention of a tenant, domain or connector stays
 * as it is. What was registered by others before is from the file from now on.
 *
 * All or nothing per tenant: what stands in its way is looked for before anything of it is written. Only who writes the
 * same at the same moment can still come between; applying again completes it. A second time changes and announces
 * nothing. An empty file changes nothing.
 *
 * @throws what ioredis throws; what was applied until then stays.
 */
export async function applyTenantsFile(
  store: Store,
  file: TenantsFile,
  options: ApplyOptions = {},
): Promise<ApplyReport> {
  const application = new Application(store, file, options)
  await application.run()
  return application.report
}

class Application {
  readonly report: ApplyReport = {
    added: [],
    updated: [],
    unchanged: 0,
    left: [],
    removed: [],
    refused: [],
    errors: [],
  }
  private readonly dryRun: boolean
  private readonly options: PlanOptions
  private readonly onRemoved: ApplyOptions['onRemoved']
  private readonly pending: Map<string, FileTenant>
  private readonly done = new Map<string, TenantPlan>()
  /** Why the pending ones cannot be applied yet. */
  private readonly waiting = new Map<string, { plan: TenantPlan; obstacles: PlanObstacle[] }>()
  /** Tenants, and connectors by `tenant/name`, outside of the file that were pruned. */
  private readonly pruned = new Set<string>()
  private readonly connectors = new Map<string, Connector[]>()

  constructor(
    private readonly store: Store,
    private readonly file: TenantsFile,
    { dryRun = false, prune = false, onRemoved }: ApplyOptions,
  ) {
    this.dryRun = dryRun
    this.onRemoved = onRemoved
    this.options = { prune, source: fileSource(file.id ?? '') }
    this.pending = new Map(file.tenants.map((tenant) => [tenant.id, tenant]))
  }

  async run(): Promise<void> {
    if (this.file.id === undefined) return
    for (const connector of await new ConnectorRegistry(this.store).list()) {
      const ofTenant = this.connectors.get(connector.tenant)
      if (ofTenant) ofTenant.push(connector)
      else this.connectors.set(connector.tenant, [connector])
    }
    await this.applyPending()
    await this.handleOutside()
    await this.applyPending()
    for (const { plan, obstacles } of this.waiting.values()) {
      this.report.left.push(...plan.left)
      for (const { place, message } of obstacles) this.error(plan.tenant, place, message)
    }
  }

  /** One tenant may wait for what another one gives up: goes round as long as that helps. */
  private async applyPending(): Promise<void> {
    for (let before = -1; this.pending.size !== before && this.pending.size > 0;) {
      before = this.pending.size
      for (const tenant of [...this.pending.values()]) await this.applyTenant(tenant)
    }
  }

  private async applyTenant(tenant: FileTenant): Promise<void> {
    const connectors = this.connectors.get(tenant.id) ?? []
    const plan = await planTenant(this.store, tenant, connectors, this.options)
    const obstacles = (await findPlanObstacles(this.store, plan)).filter(
      (obstacle) => !this.dryRun || !this.isCleared(obstacle),
    )
    if (obstacles.length > 0) {
      this.waiting.set(tenant.id, { plan, obstacles })
      return
    }
    this.waiting.delete(tenant.id)
    this.pending.delete(tenant.id)
    try {
      if (!this.dryRun) await this.write(plan)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      this.error(tenant, tenant.place, error.message)
      return
    }
    this.done.set(tenant.id, plan)
    const { report } = this
    report.added.push(...plan.added)
    report.updated.push(...plan.updated)
    report.unchanged += plan.unchanged
    report.refused.push(...plan.refused)
    if (this.options.prune) report.removed.push(...plan.left)
    else report.left.push(...plan.left)
  }

  /** In a dry run nothing gives way in Redis: whether it would have. */
  private isCleared(obstacle: PlanObstacle): boolean {
    const { kind, owner, has } = obstacle
    if (this.pruned.has(owner) || (kind === 'identity' && this.pruned.has(has))) return true
    const plan = this.done.get(owner)
    return plan !== undefined && yields(obstacle, plan)
  }

  private async write(plan: TenantPlan): Promise<void> {
    const { store } = this
    const { id } = plan.tenant
    const { source } = this.options
    if (plan.isNew) await new TenantRegistry(store).add(id, plan.settings ?? {}, source)
    else if (plan.settings) await new TenantRegistry(store).set(id, plan.settings, source)
    if (plan.domains.length > 0) await new DomainRegistry(store).put(id, plan.domains, source)
    if (plan.connectors.length + plan.connectorRemovals.length > 0) {
      await new ConnectorRegistry(store).put(id, plan.connectors, source, plan.connectorRemovals)
    }
    if (plan.domainRemovals.length > 0)
      await new DomainRegistry(store).remove(id, plan.domainRemovals)
  }

  /** Tenants and connectors of this file's id that the file does not hold at all. */
  private async handleOutside(): Promise<void> {
    const { prune, source } = this.options
    const held = new Set(this.file.tenants.map(({ id }) => id))
    const tenants = (await new TenantRegistry(this.store).idsFrom(source)).filter(
      (id) => !held.has(id),
    )
    const gone = new Set([...held, ...tenants])
    const connectors = [...this.connectors.values()]
      .flat()
      .filter(({ tenant, addedBy }) => addedBy === source && !gone.has(tenant))
    if (!prune) {
      this.report.left.push(...tenants.map((id) => `tenant ${id}`))
      this.report.left.push(...connectors.map(describeConnector))
      return
    }
    for (const id of tenants) await this.pruneTenant(id)
    for (const connector of connectors) await this.pruneConnector(connector)
  }

  private async pruneTenant(id: string): Promise<void> {
    const { client, keys } = this.store
    try {
      if ((await client.exists(keys.restriction(id))) === 1) throw tenantRestricted(id)
      const blocked = this.connectors.get(id)?.find((each) => each.blocked)
      if (blocked) throw connectorBlocked(blocked)
      if (!this.dryRun) {
        await removeTenant(this.store, id)
        await this.onRemoved?.(id)
      }
      this.pruned.add(id)
      this.report.removed.push(`tenant ${id}`)
    } catch (error) {
      if (error instanceof RefusedError) this.report.refused.push(error.message)
      else if (!(error instanceof NotFoundError)) throw error
    }
  }

  private async pruneConnector(connector: Connector): Promise<void> {
    const { tenant, name } = connector
    try {
      if (connector.blocked) throw connectorBlocked(connector)
      if (!this.dryRun) await new ConnectorRegistry(this.store).remove(tenant, name)
      this.pruned.add(connectorId(tenant, name))
      this.report.removed.push(describeConnector(connector))
    } catch (error) {
      if (error instanceof RefusedError) this.report.refused.push(error.message)
      else if (!(error instanceof NotFoundError)) throw error
    }
  }

  private error({ id }: FileTenant, { line, column }: Place, what: string): void {
    const message = atPlace(this.file.filename, { line, column }, `tenant ${id}: ${what}`)
    this.report.errors.push({ tenant: id, message, line, column })
  }
}

function describeConnector({ tenant, name }: Connector): string {
  return `connector ${connectorId(tenant, name)}`
}
