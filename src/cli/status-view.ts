import { formatWindow } from '../allowance/limits'
import { Ledger } from '../allowance/ledger'
import type { Usage, WindowUsage } from '../allowance/usage'
import type { Config } from '../config'
import { NotFoundError } from '../errors'
import { Restrictions, type Restriction } from '../restriction/restriction'
import type { Store } from '../store/store'
import type { Mode, Tenant } from '../tenants/types'
import { restrictionView, type RestrictionView } from './restriction-view'

/** How a tenant stands now. */
export interface TenantStatus {
  readonly tenant: Tenant
  /** The mode in force, and where it comes from, for people. */
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

/** A window, as JSON. */
interface WindowView {
  readonly window: string
  readonly limit: number
  readonly defer: boolean
  readonly used: number
  readonly remaining: number
}

/** A tenant's status, as JSON. */
export interface StatusView {
  readonly tenant: string
  readonly mode: Mode
  readonly restricted: boolean
  readonly restriction: RestrictionView | null
  readonly windows: readonly WindowView[]
  readonly null: readonly WindowView[]
}

/** Tenants asked for at a time. */
const PIECE = 500

/** @throws {NotFoundError} it was removed meanwhile. */
export async function readStatus(
  store: Store,
  config: Config,
  tenant: Tenant,
): Promise<TenantStatus> {
  const status = await tryStatus(store, config, tenant)
  if (status) return status
  throw new NotFoundError(`there is no tenant "${tenant.id}" any more`)
}

/** All that are still there, the most used first. */
export async function readStatuses(
  store: Store,
  config: Config,
  tenants: readonly Tenant[],
): Promise<TenantStatus[]> {
  const statuses: TenantStatus[] = []
  for (let at = 0; at < tenants.length; at += PIECE) {
    const piece = tenants.slice(at, at + PIECE)
    const read = await Promise.all(piece.map((tenant) => tryStatus(store, config, tenant)))
    statuses.push(...read.filter((status) => status !== undefined))
  }
  return statuses
    .map((status) => ({ status, share: highestShare(status) }))
    .sort((a, b) => b.share - a.share || compare(a.status.tenant.id, b.status.tenant.id))
    .map(({ status }) => status)
}

/** The window of the `unregistered` meter with the highest share; `undefined`: unlimited. */
export function fullestWindow({ usage }: TenantStatus): WindowUsage | undefined {
  return usage.unregistered.toSorted((a, b) => shareOf(b) - shareOf(a))[0]
}

/** `used` as a share of `limit`; of a limit of 0, anything is all of it. */
export function shareOf({ used, limit }: WindowUsage): number {
  if (limit === 0) return used > 0 ? 1 : 0
  return used / limit
}

export function statusView({ tenant, mode, restriction, usage }: TenantStatus): StatusView {
  return {
    tenant: tenant.id,
    mode,
    restricted: restriction !== undefined,
    restriction: restriction ? restrictionView(restriction) : null,
    windows: usage.unregistered.map(windowView),
    null: usage.null.map(windowView),
  }
}

function windowView({ window, limit, defer, used, remaining }: WindowUsage): WindowView {
  return { window: formatWindow(window), limit, defer, used, remaining }
}

async function tryStatus(
  store: Store,
  config: Config,
  tenant: Tenant,
): Promise<TenantStatus | undefined> {
  const [usage, restriction, lifted] = await Promise.all([
    new Ledger(store, config.redis.commandTimeout).usage(tenant.id, {
      limits: config.allowance.limits,
      nullLimits: config.null.limits,
    }),
    new Restrictions(store).get(tenant.id),
    store.client.hget(store.keys.tenant(tenant.id), 'lifted'),
  ])
  if (!usage) return undefined
  const { override, mode: defaultMode } = config.main
  return {
    tenant,
    mode: override ?? tenant.mode ?? defaultMode,
    modeSource: override ? ' ([main] override)' : tenant.mode ? '' : ' (default)',
    restriction,
    usage,
    lifted: parseLift(lifted),
  }
}

/** Reads the record that `restriction/lua/lift.lua` leaves. */
function parseLift(record: string | null): Lift | undefined {
  const [at, by, reason] = (record ?? '').split('\t')
  return at && by && reason ? { at: Number(at), by, reason } : undefined
}

function highestShare(status: TenantStatus): number {
  const fullest = fullestWindow(status)
  return fullest ? shareOf(fullest) : 0
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
