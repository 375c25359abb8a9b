import { reverseLabels } from '../names/domain'
import type { Store } from '../store/store'
import { readClaims, type Obstacle } from './owners'
import type { Claim } from './formats'

/** So many names below one are left to the script that claims it: about 5 ms of Redis. */
const FEW = 1000
const BATCH = 500
const MOST_OBSTACLES = 100

/** What was found below some names. */
export interface NamesBelow {
  /** The version of all claims when the survey began; as long as it holds, so does the survey. Empty: none was made. */
  readonly version: string
  readonly obstacles: Obstacle[]
}

/**
 * Looks, in batches, at what lies below names that are to be claimed with subdomains, where that is a lot: the script
 * that claims them would hold Redis while it looks at 100,000 names.
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
