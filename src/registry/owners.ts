import { RefusedError } from '../base/errors'
import { coveringDomain } from '../names/covering'
import { parentsOf } from '../names/domain'
import { batchesOf } from '../base/lists'
import type { Store } from '../store/store'
import { unpackClaim, type Claim } from './formats'

/** Names handled in one script call: about a millisecond of Redis. */
export const BATCH = 500

/** Why a tenant cannot own a name: another tenant's accepted domain covers it, or would be covered by it. */
export interface Obstacle {
  /** The name that was to be owned. */
  readonly domain: string
  readonly owner: string
  /** The owner's accepted domain: the same name, one above it or one below it. */
  readonly name: string
  /** A command of the owner is about to write it. */
  readonly isPending?: boolean
}

/** The tenant that owns a name: whose accepted domain it is, or lies below with `subdomains`. */
export async function ownerOf(store: Store, domain: string): Promise<string | undefined> {
  const claims = await readClaims(store, [domain, ...parentsOf(domain)])
  const byName = new Map(claims.flatMap((each) => (each ? [[each.domain, each] as const] : [])))
  return byName.get(coveringDomain(byName, domain) ?? '')?.tenant
}

/** Who owns exactly these names, in the same order. */
export async function readClaims(
  store: Store,
  domains: readonly string[],
): Promise<((Claim & { tenant: string }) | undefined)[]> {
  const claims: ((Claim & { tenant: string }) | undefined)[] = []
  for (const batch of batchesOf(domains, BATCH)) {
    const packed = await store.client.hmget(store.keys.ownerNames, ...batch)
    packed.forEach((each, at) =>
      claims.push(each === null ? undefined : unpackClaim(batch[at]!, each)),
    )
  }
  return claims
}

/** Reads what the ownership scripts reply: domain, owner and the owner's name in turn. */
export function readObstacles(reply: unknown): Obstacle[] {
  const flat = reply as string[]
  const obstacles: Obstacle[] = []
  for (let at = 0; at + 2 < flat.length; at += 3) {
    obstacles.push({ domain: flat[at]!, owner: flat[at + 1]!, name: flat[at + 2]! })
  }
  return obstacles
}

/** The same for people. */
export function describeObstacle({ domain, owner, name, isPending = false }: Obstacle): string {
  if (isPending) {
    return `${name} is being registered for ${owner} just now (if that was interrupted, it is free in a minute)`
  }
  if (domain === name) return `${domain} belongs to ${owner}`
  return domain.endsWith(`.${name}`)
    ? `${domain} lies below ${name}, which ${owner} has with subdomains`
    : `${domain} with subdomains would cover ${name} of ${owner}`
}

const MOST_NAMED = 5

/** The error for names that other tenants own, with what to do. */
export function ownedByAnother(obstacles: readonly Obstacle[]): RefusedError {
  const named = obstacles.slice(0, MOST_NAMED).map(describeObstacle)
  const more = obstacles.length - named.length
  if (more > 0) named.push(`and ${more} more`)
  return new RefusedError(
    `${named.join('; ')}: remove it there, or move it (tenantctl domain move), or register it as shared`,
  )
}
