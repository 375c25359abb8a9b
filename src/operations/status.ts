import { defaultsOf } from '../allowance/defaults'
import type { Forecast } from '../allowance/forecast'
import type { AllowanceSettings } from '../allowance/settings'
import { Ledger, type Defaults } from '../allowance/ledger'
import { modeFacts, Restrictions, type Restriction } from '../allowance/restriction'
import { shareOf, type Usage, type WindowUsage } from '../allowance/usage'
import { noSuchTenant } from '../base/errors'
import { overrideInWords } from '../enforcement/in-effect'
import { mapLimited } from '../base/limiter'
import { RESTRICTING, RESTRICTING_FIRST, USUAL_METER, type Meter } from '../mail/meters'
import { modeInEffect, type Mode } from '../mail/mode'
import type { Tenant } from '../mail/tenant'
import type { Store } from '../store/store'

/** The meters and the restriction of a tenant now. */
export interface TenantStatus {
  readonly tenant: Tenant
  /** The mode in effect; `modeSource` says in words where it comes from. */
  readonly mode: Mode
  readonly modeSource: string
  readonly restriction: Restriction | undefined
  readonly usage: Usage
}

/** The same, and the last time that a restriction was lifted. */
export interface FullStatus extends TenantStatus {
  readonly lifted: Lift | undefined
}

interface Lift {
  /** ms since the epoch */
  readonly at: number
  readonly by: string
  readonly reason: string
}

/** Tenants read concurrently. */
const PLACES = 500

/** Where a meter is worth a look when `warn_at` names no percentage. */
export const MUCH = 0.8

/** Reads the status of tenants. */
export class StatusReader {
  private readonly ledger: Ledger
  private readonly restrictions: Restrictions
  private readonly defaults: Defaults

  constructor(
    private readonly store: Store,
    private readonly config: AllowanceSettings,
    /** How long Redis may take for a tenant, in ms. */
    commandTimeout: number,
  ) {
    this.ledger = new Ledger(store, commandTimeout)
    this.restrictions = new Restrictions(store)
    this.defaults = defaultsOf(config)
  }

  /** @throws {NotFoundError} the tenant was removed meanwhile. */
  async one(tenant: Tenant): Promise<FullStatus> {
    const { client, keys } = this.store
    const [status, lifted] = await Promise.all([
      this.read(tenant),
      client.hget(keys.tenant(tenant.id), 'lifted'),
    ])
    if (status) return { ...status, lifted: parseLift(lifted) }
    throw noSuchTenant(tenant.id)
  }

  /** The tenants nearest a limit first, without those removed meanwhile. */
  async all(tenants: readonly Tenant[]): Promise<TenantStatus[]> {
    const statuses = await mapLimited(tenants, PLACES, (tenant) => this.read(tenant))
    return statuses
      .filter((status) => status !== undefined)
      .map((status) => ({ status, share: highestShare(status) }))
      .sort((a, b) => b.share - a.share || compare(a.status.tenant.id, b.status.tenant.id))
      .map(({ status }) => status)
  }

  /** Those of `tenants` of which a meter is past the lowest `warn_at`. */
  async near(tenants: readonly Tenant[]): Promise<ReadonlySet<Tenant>> {
    const near = (await this.all(tenants)).filter((status) => this.isNear(status))
    return new Set(near.map(({ tenant }) => tenant))
  }

  /** Whether a meter of the tenant is past the lowest `warn_at`. */
  isNear(status: TenantStatus): boolean {
    const [lowest = MUCH * 100] = this.defaults.warnAt
    return highestShare(status) * 100 >= lowest
  }

  private async read(tenant: Tenant): Promise<TenantStatus | undefined> {
    const [usage, restriction] = await Promise.all([
      this.ledger.usage(tenant.id, this.defaults),
      this.restrictions.get(tenant.id),
    ])
    if (!usage) return undefined
    const { main } = this.config
    const facts = modeFacts(tenant.mode, restriction)
    const source = overrideInWords(main, facts) ?? (tenant.mode ? '' : 'default')
    return {
      tenant,
      mode: modeInEffect(main, facts),
      modeSource: source && ` (${source})`,
      restriction,
      usage,
    }
  }
}

/** A window and its meter. */
export interface MeterWindow {
  readonly meter: Meter
  readonly usage: WindowUsage
}

/** The window nearest its limit, of all meters; without usage, one of the usual meter. `undefined`: that is unlimited. */
export function fullestWindow({ usage }: TenantStatus): MeterWindow | undefined {
  const windows = RESTRICTING_FIRST.flatMap((meter) =>
    (usage[meter] ?? []).map((each) => ({ meter, usage: each })),
  )
  const [fullest] = windows.toSorted((a, b) => shareOf(b.usage) - shareOf(a.usage))
  const isEmpty = fullest?.meter !== USUAL_METER && fullest?.usage.used === 0
  return isEmpty ? undefined : fullest
}

/** When a meter will restrict the tenant at this pace; `undefined`: it will not, or already has. */
export function forecastOf(
  { mode, restriction, usage }: TenantStatus,
  meter: Meter,
): Forecast | undefined {
  return restriction || mode === 'off' ? undefined : usage.forecasts[meter]
}

/** The earliest of these, over all meters. */
export function firstForecastOf(status: TenantStatus): Forecast | undefined {
  return RESTRICTING.map((meter) => forecastOf(status, meter))
    .filter((forecast) => forecast !== undefined)
    .sort((a, b) => a.at - b.at)[0]
}

/** Reads the record of `allowance/lua/lift.lua`. */
function parseLift(record: string | null): Lift | undefined {
  const [at, by, reason] = (record ?? '').split('\t')
  return at && by && reason ? { at: Number(at), by, reason } : undefined
}

function highestShare(status: TenantStatus): number {
  const fullest = fullestWindow(status)
  return fullest ? shareOf(fullest.usage) : 0
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
