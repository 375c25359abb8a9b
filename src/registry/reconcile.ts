import { retryConcurrent } from '../base/retry'
import { batchesOf } from '../base/lists'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { readEntries, removeEntries } from './domain-entries'
import { BATCH, readObstacles, type Obstacle } from './owners'
import { formatFlags } from './formats'

const RECONCILE = readScript(__dirname, 'owners_reconcile')

/**
 * Reconciles the claims on some names with a tenant's own list, which the caller has just changed: claims what the list
 * owns, with exactly its flags, and frees what it does not own. Claims and lists lie in different slots, so no script can
 * see both; the list is read before and after, and again while other callers change it. Every caller that writes an entry
 * reconciles it afterwards, so the last one sees the last entry written.
 *
 * @returns the names that another tenant owns; they are removed from the list.
 * @throws where the list changes 20 times in a row.
 */
export async function reconcileClaims(
  store: Store,
  tenant: string,
  domains: readonly string[],
): Promise<Obstacle[]> {
  const lost: Obstacle[] = []
  for (const batch of batchesOf(domains, BATCH))
    lost.push(...(await reconcileBatch(store, tenant, batch)))
  return lost
}

async function reconcileBatch(
  store: Store,
  tenant: string,
  domains: readonly string[],
): Promise<Obstacle[]> {
  const { keys } = store
  const lost: Obstacle[] = []
  let open = await readWanted(store, tenant, domains)
  return retryConcurrent(`accepted domains of ${tenant} were`, async () => {
    if (open.size === 0) return lost
    const obstacles = readObstacles(
      await store.run(
        RECONCILE,
        [keys.ownerNames, keys.ownerIndex, keys.ownerVersion, keys.ownerMoves],
        [tenant, ...[...open].flat()],
      ),
    )
    if (obstacles.length > 0) {
      lost.push(...obstacles)
      const names = obstacles.map(({ domain }) => domain)
      await removeEntries(store, tenant, names, 'owned')
    }
    const before = open
    const now = await readWanted(store, tenant, [...before.keys()])
    open = new Map([...now].filter(([domain, wanted]) => before.get(domain) !== wanted))
    return open.size === 0 ? lost : undefined
  })
}

/** What the list says of each name: `s` or `-` where it is owned, `x` where it is not. */
async function readWanted(
  store: Store,
  tenant: string,
  domains: readonly string[],
): Promise<Map<string, string>> {
  const entries = await readEntries(store, tenant, domains)
  return new Map(
    domains.map((domain, at) => {
      const entry = entries[at]
      return [domain, entry === undefined || entry.shared ? 'x' : formatFlags(entry)]
    }),
  )
}
