// Applies a tenants file by the functions that the commands call, tenant by tenant.
import { NotFoundError, RefusedError, UserError } from '../base/errors'
import { InterruptedError, isStopped, type Work } from '../base/work'
import type { Connector } from '../mail/tenant'
import { connectorBlocked, ConnectorRegistry } from '../registry/connector-registry'
import { DomainRegistry } from '../registry/domain-registry'
import { removeTenant, tenantRestricted } from '../registry/tenant-removal'
import { TenantRegistry } from '../registry/tenant-registry'
import type { Store } from '../store/store'
import { findConflicts, type Changes, type Conflict } from './conflicts'
import { planConnectors, planTenant, type PlanOptions, type TenantPlan } from './plan'
import { addReport, newReport, type PlanReport, type Removal } from './report'
import { detachedFrom, fileSource } from './source'
import type { FileTenant, TenantsFile } from './tenants-file'
import { atPlace, type Place } from './yaml'

export interface ApplyOptions {
  /** Writes nothing, and reports what would be done. */
  readonly dryRun?: boolean
  /** Removes what the file of this id no longer holds; never a restricted tenant or a blocked connector. */
  readonly prune?: boolean
  /** Names that are refused as domains of mailbox providers are. */
  readonly neverRegister?: ReadonlySet<string>
  /** What else is to be done when a tenant has been removed. */
  readonly onRemoved?: (tenant: string) => Promise<void>
}

/** What applying a file did, or would do. */
export interface ApplyReport extends PlanReport {
  readonly removed: string[]
  readonly errors: ApplyError[]
  /** Tenants of the file that were detached from it: nothing of them is applied. */
  readonly detached: string[]
  readonly removal: Removal
}

/** Why nothing of a tenant was applied. */
interface ApplyError {
  readonly tenant: string
  /** `FILE:LINE:COLUMN: tenant ID: what, and what to do` */
  readonly message: string
  readonly line: number
  readonly column: number
}

/**
 * Adds and updates what the file holds, in place; what the file does not mention of a tenant, domain or connector stays
 * as it is. What others registered before comes from the file from now on.
 *
 * All or nothing for each tenant: conflicts are looked for before anything of it is written. Only who writes the same at
 * the same moment can still come between; applying again completes it. A second time changes and announces nothing. An
 * empty file changes nothing.
 *
 * @throws {InterruptedError} it was stopped; as whatever ioredis throws, what was applied until then stays.
 */
export async function applyTenantsFile(
  store: Store,
  file: TenantsFile,
  options: ApplyOptions = {},
  work: Work = {},
): Promise<ApplyReport> {
  const application = new Application(store, file, options, work)
  await application.run()
  return application.report
}

class Application {
  readonly report: ApplyReport = {
    ...newReport(),
    ...{ removed: [], errors: [], detached: [] },
    removal: { tenants: [], domains: new Map(), connectors: new Map() },
  }
  private readonly plan: PlanOptions
  /** Tenants that are not applied (yet), each with what was found when it was tried last. */
  private pending: { tenant: FileTenant; plan?: TenantPlan; conflicts?: Conflict[] }[]
  private readonly done = new Map<string, Changes>()
  private readonly pruned = new Set<string>()
  private readonly connectors = new Map<string, Connector[]>()

  constructor(
    private readonly store: Store,
    private readonly file: TenantsFile,
    private readonly options: ApplyOptions,
    private readonly work: Work,
  ) {
    this.plan = {
      source: fileSource(file.id ?? ''),
      prune: options.prune === true,
      neverRegister: options.neverRegister ?? new Set(),
    }
    this.pending = file.tenants.map((tenant) => ({ tenant }))
  }

  async run(): Promise<void> {
    if (this.file.id === undefined) return
    for (const connector of await new ConnectorRegistry(this.store).list()) {
      const ofTenant = this.connectors.get(connector.tenant)
      if (ofTenant) ofTenant.push(connector)
      else this.connectors.set(connector.tenant, [connector])
    }
    await this.applyPending()
    await this.handleOthers()
    await this.applyPending()
    for (const { tenant, plan, conflicts } of this.pending) {
      this.report.left.push(...plan!.report.left)
      for (const { place, message } of conflicts!) this.error(tenant, place, message)
    }
  }

  /** A tenant may wait for what another one gives up: goes round as long as that helps. */
  private async applyPending(): Promise<void> {
    let before: number
    do {
      before = this.pending.length
      const waiting: typeof this.pending = []
      for (const { tenant } of this.pending) {
        this.assertGoesOn()
        const connectors = this.connectors.get(tenant.id) ?? []
        const plan = await planTenant(this.store, tenant, connectors, this.plan)
        if (plan === undefined) {
          this.report.detached.push(tenant.id)
          continue
        }
        const found = await findConflicts(this.store, plan)
        const conflicts = found.filter((each) => !this.isOver(each))
        if (conflicts.length > 0) waiting.push({ tenant, plan, conflicts })
        else await this.applyPlan(plan)
      }
      this.pending = waiting
    } while (this.pending.length > 0 && this.pending.length < before)
  }

  /** @throws {InterruptedError} it is to stop before the next tenant. */
  private assertGoesOn(): void {
    const { done, pruned, work, file } = this
    work.progress?.(done.size + pruned.size, file.tenants.length)
    if (!isStopped(work)) return
    throw new InterruptedError(
      `stopped: of ${file.filename} ${done.size} of ${file.tenants.length} tenants were ${this.options.dryRun ? 'compared' : 'applied'}, each as a whole; run the same command again to go on`,
    )
  }

  /** In a dry run nothing gives way in Redis: whether it would have. */
  private isOver({ owner, endsWith }: Conflict): boolean {
    const changes = this.options.dryRun ? this.done.get(owner) : undefined
    return this.pruned.has(owner) || (changes !== undefined && endsWith(changes))
  }

  private async applyPlan(plan: TenantPlan): Promise<void> {
    try {
      if (!this.options.dryRun) await this.write(plan)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      this.error(plan.tenant, plan.tenant.place, error.message)
      return
    }
    this.done.set(plan.tenant.id, plan)
    this.add(plan.tenant.id, plan.report, plan)
  }

  private add(tenant: string, report: PlanReport, changes: Changes): void {
    const { removed, removal } = this.report
    if (!this.plan.prune) return addReport(this.report, report)
    addReport(this.report, { ...report, left: [] })
    removed.push(...report.left)
    noteNumber(removal.domains, tenant, changes.domainRemovals.length)
    noteNumber(removal.connectors, tenant, changes.connectorRemovals.length)
  }

  private async write(plan: TenantPlan): Promise<void> {
    const { store } = this
    const { source } = this.plan
    const { id } = plan.tenant
    const tenants = new TenantRegistry(store)
    const domains = new DomainRegistry(store)
    if (plan.isNew) await tenants.add(id, plan.settings ?? {}, source)
    else if (plan.settings) await tenants.set(id, plan.settings, { source })
    if (plan.domains.length > 0) await domains.put(id, plan.domains, source)
    if (plan.connectors.length + plan.connectorRemovals.length > 0) {
      const connectors = new ConnectorRegistry(store)
      await connectors.put(id, plan.connectors, source, plan.connectorRemovals)
    }
    if (plan.domainRemovals.length > 0) await domains.remove(id, plan.domainRemovals)
  }

  /** Tenants that came from this file and are not in it any more, and such connectors of tenants that are not either. */
  private async handleOthers(): Promise<void> {
    const seen = new Set(this.file.tenants.map(({ id }) => id))
    for (const id of await new TenantRegistry(this.store).idsFrom(this.plan.source)) {
      if (seen.has(id)) continue
      seen.add(id)
      if (this.plan.prune) await this.pruneTenant(id)
      else this.report.left.push(`tenant ${id}`)
    }
    for (const id of this.connectors.keys()) if (!seen.has(id)) await this.pruneConnectors(id)
  }

  private async pruneTenant(id: string): Promise<void> {
    const { client, keys } = this.store
    const { removal } = this.report
    this.assertGoesOn()
    try {
      if ((await client.exists(keys.restriction(id))) === 1) throw tenantRestricted(id)
      const blocked = this.connectors.get(id)?.find((each) => each.blocked)
      if (blocked) throw connectorBlocked(blocked)
      const domains = await client.hlen(keys.domains(id))
      if (!this.options.dryRun) {
        await removeTenant(this.store, id)
        await this.options.onRemoved?.(id)
      }
      this.pruned.add(id)
      removal.tenants.push(id)
      noteNumber(removal.domains, id, domains)
      noteNumber(removal.connectors, id, this.connectors.get(id)?.length ?? 0)
      this.report.removed.push(`tenant ${id}`)
    } catch (error) {
      if (error instanceof RefusedError) this.report.refused.push(error.message)
      else if (!(error instanceof NotFoundError)) throw error
    }
  }

  private async pruneConnectors(tenant: string): Promise<void> {
    const report = newReport()
    const there = this.connectors.get(tenant)!
    if (await this.isDetached(tenant)) return
    const connectors = planConnectors({ id: tenant, connectors: [] }, there, this.plan, report)
    const changes = { ...connectors, domains: [], domainRemovals: [] }
    if (!this.options.dryRun) await this.removeConnectors(tenant, changes.connectorRemovals)
    this.done.set(tenant, changes)
    this.add(tenant, report, changes)
  }

  private async isDetached(tenant: string): Promise<boolean> {
    const { client, keys } = this.store
    return (await client.hget(keys.tenant(tenant), 'source')) === detachedFrom(this.plan.source)
  }

  /** One at a time: the tenant itself may be gone. */
  private async removeConnectors(tenant: string, names: readonly string[]): Promise<void> {
    const connectors = new ConnectorRegistry(this.store)
    for (const name of names) {
      await connectors.remove(tenant, name).catch((error: unknown) => {
        if (!(error instanceof NotFoundError)) throw error
      })
    }
  }

  private error({ id }: FileTenant, { line, column }: Place, what: string): void {
    const message = atPlace(this.file.filename, { line, column }, `tenant ${id}: ${what}`)
    this.report.errors.push({ tenant: id, message, line, column })
  }
}

function noteNumber(numbers: Map<string, number>, tenant: string, number: number): void {
  if (number > 0) numbers.set(tenant, number)
}
