// What keeps a tenant of the file from being applied, as Redis is now.
import { connectorId } from '../mail/identities'
import { findObstacles } from '../registry/claims'
import { connectorBlocked, ConnectorRegistry, identityTaken } from '../registry/connector-registry'
import { ownedByAnother } from '../registry/owners'
import { identityFields } from '../registry/formats'
import type { Store } from '../store/store'
import type { TenantPlan } from './plan'
import type { Place } from './yaml'

export interface Conflict {
  readonly place: Place
  readonly message: string
  /** The tenant that has what the file gives to this one. */
  readonly owner: string
  /** Whether that tenant's plan, once done, ends the conflict. */
  readonly endsWith: (plan: Changes) => boolean
}

/** What a plan changes. */
export type Changes = Omit<TenantPlan, 'tenant' | 'isNew' | 'settings' | 'ofProviders' | 'report'>

/** Writes nothing. */
export async function findConflicts(store: Store, plan: TenantPlan): Promise<Conflict[]> {
  return [
    ...(await domainConflicts(store, plan)),
    ...(await identityConflicts(store, plan)),
    ...plan.blocked.map(({ name, place }) => {
      const { message } = connectorBlocked({ tenant: plan.tenant.id, name })
      return { place, message, owner: plan.tenant.id, endsWith: () => false }
    }),
    ...plan.ofProviders.map(({ domain, place }) => ({
      ...{ place, owner: plan.tenant.id, endsWith: () => false },
      message: `${domain}: anybody can get an address at a mailbox provider, and all mail that claims to be from there would pass uncounted; to register it anyway, write { name: ${domain}, force: true }`,
    })),
  ]
}

async function domainConflicts(store: Store, { tenant, domains }: TenantPlan): Promise<Conflict[]> {
  const places = new Map(tenant.domains.map(({ domain, place }) => [domain, place]))
  const owned = domains.filter(({ shared }) => !shared)
  const obstacles = await findObstacles(store, tenant.id, owned)
  return obstacles.map((obstacle) => {
    const { domain, owner, name } = obstacle
    return {
      place: places.get(domain)!,
      message: ownedByAnother([obstacle]).message,
      owner,
      endsWith: ({ domainRemovals, domains: puts }) => {
        if (domainRemovals.includes(name)) return true
        const put = puts.find((each) => each.domain === name)
        if (put === undefined || put.shared) return put !== undefined
        return !put.subdomains && domain.endsWith(`.${name}`)
      },
    }
  })
}

async function identityConflicts(store: Store, plan: TenantPlan): Promise<Conflict[]> {
  const { id, connectors } = plan.tenant
  const places = new Map(connectors.map(({ name, place, places }) => [name, { place, places }]))
  const wanted = plan.connectors.flatMap(({ name, identities }) =>
    identityFields(identities).map((identity) => ({ identity, name })),
  )
  const holders = await new ConnectorRegistry(store).holders(wanted.map((each) => each.identity))
  return wanted.flatMap(({ identity, name }, at) => {
    const holder = holders[at]
    const taker = connectorId(id, name)
    if (holder === undefined || holder === taker) return []
    const [owner = '', holderName = ''] = holder.split('/')
    const endsWith = ({ connectorRemovals, connectors: puts }: Changes): boolean => {
      if (connectorRemovals.includes(holderName)) return true
      const put = puts.find((each) => each.name === holderName)
      return put !== undefined && !identityFields(put.identities).includes(identity)
    }
    // One script takes it from one connector of a tenant and gives it to another.
    if (owner === id && endsWith(plan)) return []
    const { place, places: ofIdentities } = places.get(name)!
    const { message } = identityTaken(identity, holder, taker)
    return [{ place: ofIdentities.get(identity) ?? place, message, owner, endsWith }]
  })
}
