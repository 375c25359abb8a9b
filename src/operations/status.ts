import { defaultsOf } from '../allowance/defaults'
import type { Forecast } from '../allowance/forecast'
import type { AllowanceSettings } from '../allowance/settings'
import { Ledger } from '../allowance/ledger'
import { Restrictions, type Restriction } from '../allowance/restriction'
import type { Usage, WindowUsage } from '../allowance/usage'
import { noSuchTenant } from '../base/errors'
import { batchesOf } from '../base/lists'
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
  /** The last time that a restriction was lifted. */
  readonly lifted: Lift | undefined
}

interface Lift {
  /** ms since the epoch */
  readonly at: number
  readonly by: string
  readonly reason: string
}

/** Tenants read concurrently. */
const BATCH = 500

/** Reads the status of tenants. */
export class StatusReader {
  private readonly ledger: Ledger
  private readonly restrictions: Restrictions

  constructor(
    private readonly store: Store,
    private readonly config: AllowanceSettings,
    /** How long Redis may take for a tenant, in ms. */
    commandTimeout: number,
  ) {
    this.ledger = new Ledger(store, commandTimeout)
    this.restrictions = new Restrictions(store)
  }

  /** @throws {NotFoundError} the tenant was removed meanwhile. */
  async one(tenant: Tenant): Promise<TenantStatus> {
    const status = await this.read(tenant)
    if (status) return status
    throw noSuchTenant(tenant.id)
  }

  /** The tenants nearest a limit first, without those removed meanwhile. */
  async all(tenants: readonly Tenant[]): Promise<TenantStatus[]> {
    const statuses: TenantStatus[] = []
    for (const batch of batchesOf(tenants, BATCH)) {
      const read = await Promise.all(batch.map((tenant) => this.read(tenant)))
      statuses.push(...read.filter((status) => status !== undefined))
    }
    return statuses
      .map((status) => ({ status, share: highestShare(status) }))
      .sort((a, b) => b.share - a.share || compare(a.status.tenant.id, b.status.tenant.id))
      .map(({ status }) => status)
  }

  private async read(tenant: Tenant): Promise<TenantStatus | undefined> {
    const { client, keys } = this.store
    const [usage, restriction, lifted] = await Promise.all([
      this.ledger.usage(tenant.id, defaultsOf(this.config)),
      this.restrictions.get(tenant.id),
      client.hget(keys.tenant(tenant.id), 'lifted'),
    ])
    if (!usage) return undefined
    const { main } = this.config
    return {
      tenant,
      mode: modeInEffect(main, tenant.mode),
      modeSource: main.override ? ' ([main] override)' : tenant.mode ? '' : ' (default)',
      restriction,
      usage,
      lifted: parseLift(lifted),
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

/** `used` as a share of `limit`; 1 for any use of a limit of 0. */
export function shareOf({ used, limit }: WindowUsage): number {
  if (limit === 0) return used > 0 ? 1 : 0
  return used / limit
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
