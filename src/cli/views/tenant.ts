import { decodeProbation } from '../../allowance/usage'
import { noSuchTenant } from '../../base/errors'
import { batchesOf } from '../../base/lists'
import type { Store } from '../../store/store'
import { serverTime } from '../../store/server-clock'
import { TenantRegistry } from '../../registry/tenant-registry'
import { ConnectorRegistry } from '../../registry/connector-registry'
import { METER_NAMES, METERS, separated, USUAL_METER } from '../../mail/meters'
import type { Tenant } from '../../mail/tenant'
import { isoTime } from '../../base/time'
import { probationView, type ProbationView } from './status'

/** A tenant as `tenant show` and `tenant list` print it. */
export interface TenantView {
  readonly id: string
  readonly name: string
  /** `null`: the default applies. */
  readonly mode: string | null
  /** Of the usual meter, the same; and of the others `null_limits` and so on. */
  readonly limits: string | null
  /** `null`: none */
  readonly contact: string | null
  readonly source: string
  /** ISO 8601 UTC */
  readonly created_at: string
  readonly domains: number
  readonly connectors: number
  readonly restricted: boolean
  readonly probation: ProbationView | null
}

/** Tenants asked for at a time: a million must not stand in one pipeline. */
const BATCH = 500

/** @throws {NotFoundError} */
export async function existingTenant(store: Store, id: string): Promise<Tenant> {
  const tenant = await new TenantRegistry(store).get(id)
  if (tenant) return tenant
  throw noSuchTenant(id)
}

/** Adds what is kept elsewhere: how many domains and connectors, and whether it is restricted. */
export async function describeTenants(
  store: Store,
  tenants: readonly Tenant[],
): Promise<TenantView[]> {
  const connectors = await connectorCounts(store)
  const now = await serverTime(store.client)
  const views: TenantView[] = []
  for (const batch of batchesOf(tenants, BATCH)) {
    views.push(
      ...(await Promise.all(
        batch.map((tenant) => describe(store, tenant, connectors.get(tenant.id) ?? 0, now)),
      )),
    )
  }
  return views
}

async function describe(
  store: Store,
  tenant: Tenant,
  connectors: number,
  now: number,
): Promise<TenantView> {
  const { client, keys } = store
  const [domains, restricted, packed] = await Promise.all([
    client.hlen(keys.domains(tenant.id)),
    client.exists(keys.restriction(tenant.id)),
    client.hget(keys.tenant(tenant.id), 'probation'),
  ])
  const probation = decodeProbation(packed ?? '')
  return {
    id: tenant.id,
    name: tenant.name,
    mode: tenant.mode ?? null,
    limits: tenant[METERS[USUAL_METER].limitsField] ?? null,
    ...Object.fromEntries(
      METER_NAMES.map((meter) => METERS[meter].limitsField).map((field) => [
        separated(field, '_'),
        tenant[field] ?? null,
      ]),
    ),
    contact: tenant.contact ?? null,
    source: tenant.source,
    created_at: isoTime(tenant.createdAt),
    domains,
    connectors,
    restricted: restricted === 1,
    probation: probation && probation.until > now ? probationView(probation) : null,
  }
}

async function connectorCounts(store: Store): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const { tenant } of await new ConnectorRegistry(store).list()) {
    counts.set(tenant, (counts.get(tenant) ?? 0) + 1)
  }
  return counts
}
