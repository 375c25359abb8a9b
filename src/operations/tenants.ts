import { hasTrail } from '../audit/reader'
import { probationInEffect, type Probation } from '../allowance/usage'
import { noSuchTenant } from '../base/errors'
import { mapLimited } from '../base/limiter'
import { METER_NAMES, METERS, type Meter } from '../mail/meters'
import { temporaryAt, temporaryField, type Temporary } from '../mail/temporary'
import type { Tenant } from '../mail/tenant'
import { ConnectorRegistry } from '../registry/connector-registry'
import { tenantExists, TenantRegistry, type TenantSettings } from '../registry/tenant-registry'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'

/** A tenant with its counts and state. */
export interface TenantSummary {
  readonly tenant: Tenant
  readonly domains: number
  readonly connectors: number
  readonly restricted: boolean
  /** The probation in effect. */
  readonly probation: Probation | undefined
  /** Limits in effect for some time. */
  readonly temporary: Readonly<Partial<Record<Meter, Temporary>>>
}

/**
 * Registers a tenant.
 *
 * @param by who does it.
 * @throws as {@link TenantRegistry.add}.
 */
export async function addTenant(
  store: Store,
  id: string,
  settings: TenantSettings,
  by: string,
): Promise<'added' | 'unchanged'> {
  return new TenantRegistry(store).add(id, settings, by)
}

/** Tenants read concurrently. */
const PLACES = 500

/** @throws {NotFoundError} */
export async function existingTenant(store: Store, id: string): Promise<Tenant> {
  const tenant = await new TenantRegistry(store).get(id)
  if (tenant) return tenant
  throw noSuchTenant(id)
}

/**
 * Checks that a tenant is registered, or was: changes of one that has been removed are kept.
 *
 * @throws {NotFoundError}
 */
export async function assertKnown(store: Store, id: string): Promise<void> {
  if ((await tenantExists(store, id)) || (await hasTrail(store, id))) return
  throw noSuchTenant(id)
}

/** Summaries in the order of the tenants. */
export async function summarize(
  store: Store,
  tenants: readonly Tenant[],
): Promise<TenantSummary[]> {
  const connectors = await connectorCounts(store)
  const now = await serverTime(store.client)
  return mapLimited(tenants, PLACES, (tenant) => summaryOf(store, tenant, connectors, now))
}

async function summaryOf(
  store: Store,
  tenant: Tenant,
  connectors: ReadonlyMap<string, number>,
  now: number,
): Promise<TenantSummary> {
  const { client, keys } = store
  const [domains, restricted, probation] = await Promise.all([
    client.hlen(keys.domains(tenant.id)),
    client.exists(keys.restriction(tenant.id)),
    client.hget(keys.tenant(tenant.id), 'probation'),
  ])
  return {
    tenant,
    domains,
    connectors: connectors.get(tenant.id) ?? 0,
    restricted: restricted === 1,
    probation: probationInEffect(probation, now),
    temporary: temporaryOf(tenant, now),
  }
}

function temporaryOf(tenant: Tenant, now: number): TenantSummary['temporary'] {
  const found = METER_NAMES.flatMap((meter) => {
    const { ini, limitsField } = METERS[meter]
    // Without limits of its own the tenant may have no such meter.
    const temporary = ini || tenant[limitsField] ? tenant[temporaryField(limitsField)] : undefined
    const inEffect = temporaryAt(temporary, now)
    return inEffect ? [[meter, inEffect]] : []
  })
  return Object.fromEntries(found) as TenantSummary['temporary']
}

async function connectorCounts(store: Store): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const { tenant } of await new ConnectorRegistry(store).list()) {
    counts.set(tenant, (counts.get(tenant) ?? 0) + 1)
  }
  return counts
}
