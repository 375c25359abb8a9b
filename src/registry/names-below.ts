import { reverseLabels } from '../names/domain'
import type { Store } from '../store/store'
import { readClaims, type Obstacle } from './owners'
import type { Claim } from './formats'

/** Up to this many names below one, the script that claims it checks them itself: about 5 ms of Redis. */
const FEW = 1000
const BATCH = 500
const MOST_OBSTACLES = 100

/** Names of other tenants below some names. */
export interface NamesBelow {
  /** The version of all claims when reading began: the result is valid as long as it is current. Empty: nothing was read. */
  readonly version: string
  readonly obstacles: Obstacle[]
}

/**
 * Reads, in batches, the owners of the names below those that are to be claimed with subdomains, where there are many:
 * the script that claims them would block Redis while it looks at 100,000 names.
 *
 * @throws what ioredis throws.
 */
export async function lookAtNamesBelow(
  store: Store,
  tenant: string,
  claims: readonly Claim[],
): Promise<NamesBelow> {
  const crowded = await crowdedOf(store, tenant, claims)
  if (crowded.length === 0) return { version: '', obstacles: [] }
  const version = (await store.client.get(store.keys.ownerVersion)) ?? '0'
  const obstacles: Obstacle[] = []
  for (const domain of crowded) obstacles.push(...(await lookBelow(store, tenant, domain)))
  return { version, obstacles }
}

/** The names that have many below them, and that the tenant does not own with subdomains already. */
async function crowdedOf(
  store: Store,
  tenant: string,
  claims: readonly Claim[],
): Promise<string[]> {
  const wide = claims.filter(({ subdomains }) => subdomains).map(({ domain }) => domain)
  const counts = await Promise.all(
    wide.map((domain) => store.client.zlexcount(store.keys.ownerIndex, ...rangeBelow(domain))),
  )
  const crowded = wide.filter((_, at) => counts[at]! > FEW)
  const held = await readClaims(store, crowded)
  return crowded.filter((_, at) => !(held[at]?.tenant === tenant && held[at].subdomains))
}

async function lookBelow(store: Store, tenant: string, domain: string): Promise<Obstacle[]> {
  const { client, keys } = store
  const obstacles: Obstacle[] = []
  const [first, to] = rangeBelow(domain)
  let from = first
  for (;;) {
    const found = await client.zrangebylex(keys.ownerIndex, from, to, 'LIMIT', 0, BATCH)
    for (const claim of await readClaims(store, found.map(reverseLabels))) {
      if (claim === undefined || claim.tenant === tenant) continue
      obstacles.push({ domain, owner: claim.tenant, name: claim.domain })
      if (obstacles.length === MOST_OBSTACLES) return obstacles
    }
    if (found.length < BATCH) return obstacles
    from = `(${found.at(-1)!}`
  }
}

/** As in the scripts: `/` follows `.` in ASCII. */
function rangeBelow(domain: string): [from: string, to: string] {
  const reversed = reverseLabels(domain)
  return [`[${reversed}.`, `(${reversed}/`]
}
