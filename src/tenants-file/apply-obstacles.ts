import type { TenantPlan } from './apply-plan'
import { findObstacles } from '../registry/claims'
import { connectorBlocked, ConnectorRegistry, identityTaken } from '../registry/connector-registry'
import { connectorId } from '../mail/identities'
import { ownedByAnother } from '../registry/owners'
import { identityFields } from '../registry/packing'
import type { Store } from '../store/store'
import type { Place } from './yaml-reader'

/** What keeps a tenant of the file from being applied: mostly that another has what the file gives to this one. */
export interface PlanObstacle {
  /** `blocked`: a blocked connector of this very tenant would lose an identity. */
  readonly kind: 'domain' | 'identity' | 'blocked'
  /** The domain that was to be owned, or the identity (a field as `identityFields` writes it); empty for `blocked`. */
  readonly wanted: string
  /** The tenant in the way. */
  readonly owner: string
  /** What it has: a domain, or the connector `tenant/name`. */
  readonly has: string
  readonly place: Place
  readonly message: string
}

/** Everything that stands in the way of a plan, as Redis is now. Writes nothing. */
export async function findPlanObstacles(store: Store, plan: TenantPlan): Promise<PlanObstacle[]> {
  return [
    ...(await domainObstacles(store, plan)),
    ...(await identityObstacles(store, plan)),
    ...blockedObstacles(plan),
  ]
}

function blockedObstacles({ tenant, stuck }: TenantPlan): PlanObstacle[] {
  return stuck.map((name) => ({
    kind: 'blocked',
    wanted: '',
    owner: tenant.id,
    has: connectorId(tenant.id, name),
    place: tenant.connectors.find((each) => each.name === name)?.place ?? tenant.place,
    message: connectorBlocked({ tenant: tenant.id, name }).message,
  }))
}

async function domainObstacles(store: Store, plan: TenantPlan): Promise<PlanObstacle[]> {
  const places = new Map(plan.tenant.domains.map(({ domain, place }) => [domain, place]))
  const owned = plan.domains.filter(({ shared }) => !shared)
  const obstacles = await findObstacles(store, plan.tenant.id, owned)
  return obstacles.map((obstacle) => ({
    kind: 'domain',
    wanted: obstacle.domain,
    owner: obstacle.owner,
    has: obstacle.name,
    place: places.get(obstacle.domain) ?? plan.tenant.place,
    message: ownedByAnother([obstacle]).message,
  }))
}

async function identityObstacles(store: Store, plan: TenantPlan): Promise<PlanObstacle[]> {
  const tenant = plan.tenant.id
  const places = new Map(plan.tenant.connectors.map((each) => [each.name, each.places]))
  const wanted = plan.connectors.flatMap(({ name, identities }) =>
    identityFields(identities).map((identity) => ({ identity, name })),
  )
  const holders = await new ConnectorRegistry(store).holders(wanted.map(({ identity }) => identity))
  return wanted.flatMap(({ identity, name }, at) => {
    const holder = holders[at]
    const id = connectorId(tenant, name)
    if (holder === undefined || holder === id || givesUp(plan, holder, identity)) return []
    return [
      {
        kind: 'identity',
        wanted: identity,
        owner: holder.slice(0, holder.indexOf('/')),
        has: holder,
        place: places.get(name)?.get(identity) ?? plan.tenant.place,
        message: identityTaken(identity, holder, id).message,
      } as const,
    ]
  })
}

/** Whether the holder is a connector of this very tenant that gives the identity up in the same script. */
function givesUp(plan: TenantPlan, holder: string, identity: string): boolean {
  const isHolder = (name: string): boolean => connectorId(plan.tenant.id, name) === holder
  if (plan.connectorRemovals.some(isHolder)) return true
  const put = plan.connectors.find(({ name }) => isHolder(name))
  return put !== undefined && !identityFields(put.identities).includes(identity)
}

/** Whether what stands in the way does so no more once the plan of the tenant in the way is done. */
export function yields({ kind, wanted, has }: PlanObstacle, plan: TenantPlan): boolean {
  if (kind === 'blocked') return false
  if (kind === 'identity') return !plan.identitiesAfter.has(wanted)
  const entry = plan.domainsAfter.get(has)
  if (entry === undefined || entry.shared) return true
  return !entry.subdomains && wanted.endsWith(`.${has}`)
}
