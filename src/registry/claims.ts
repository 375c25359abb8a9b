import { reverseLabels } from '../names/domain'
import { batchesOf, grouped } from '../base/lists'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { BATCH, readObstacles, type Obstacle } from './owners'
import { formatFlags, type Claim } from './formats'
import { lookAtNamesBelow } from './names-below'
import { leftByInterrupted, markPending } from './pending'
import { reconcileClaims } from './reconcile'

const CLAIM = readScript(__dirname, 'owners_claim')

/**
 * Claims names for a tenant in one script: all of them, or none. Claims in the way that an interrupted command of another
 * tenant has left are removed first.
 *
 * @param claims at most {@link BATCH}.
 * @param lease see {@link newLease}; what is claimed is pending until it is reconciled. Empty: it is not.
 * @returns what prevents it; empty: claimed.
 */
export async function claim(
  store: Store,
  tenant: string,
  claims: readonly Claim[],
  lease = '',
): Promise<Obstacle[]> {
  for (;;) {
    const obstacles = await runClaim(store, 'claim', tenant, claims, lease)
    if (!(await removeInterrupted(store, obstacles))) return markPending(store, obstacles)
  }
}

/** What prevents these claims, any number of them. Writes nothing. */
export async function findObstacles(
  store: Store,
  tenant: string,
  claims: readonly Claim[],
): Promise<Obstacle[]> {
  const obstacles: Obstacle[] = []
  for (const batch of batchesOf(claims, BATCH)) {
    obstacles.push(...(await runClaim(store, 'check', tenant, batch)))
  }
  const left = new Set(await leftByInterrupted(store, obstacles))
  return markPending(
    store,
    obstacles.filter((obstacle) => !left.has(obstacle)),
  )
}

/** @returns whether some of the obstacles are gone, since an interrupted command had left them. */
export async function removeInterrupted(
  store: Store,
  obstacles: readonly Obstacle[],
): Promise<boolean> {
  const left = await leftByInterrupted(store, obstacles)
  for (const [owner, of] of grouped(left, (each) => each.owner)) {
    const names = new Set(of.map(({ name }) => name))
    await reconcileClaims(store, owner, [...names], { which: 'interrupted' })
  }
  return left.length > 0
}

async function runClaim(
  store: Store,
  what: 'claim' | 'check',
  tenant: string,
  claims: readonly Claim[],
  lease = '',
): Promise<Obstacle[]> {
  if (claims.length === 0) return []
  const { keys } = store
  const names = claims.flatMap(({ domain, subdomains }) => [
    domain,
    formatFlags({ subdomains, shared: false }),
  ])
  const below = await lookAtNamesBelow(store, tenant, claims)
  if (below.obstacles.length > 0 && what === 'claim') return below.obstacles
  const reply = await store.run(
    CLAIM,
    [keys.ownerNames, keys.ownerIndex, keys.ownerVersion, keys.ownerPending],
    [what, tenant, lease, below.version, ...names],
  )
  return [...below.obstacles, ...readObstacles(reply)]
}

/**
 * A large batch is claimed batch by batch. All claim in one order, a name right before what lies below it: of two
 * batches that collide, the one that comes first to where they do goes on, and the other has nothing further on that
 * could stop it.
 */
export function inClaimOrder<T>(items: Iterable<T>, domainOf: (item: T) => string): T[] {
  // `!` sorts before all that a label may hold.
  const key = (item: T): string => reverseLabels(domainOf(item)).replaceAll('.', '!')
  return Array.from(items, (item) => ({ item, key: key(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ item }) => item)
}
