import { retryConcurrent } from '../base/retry'
import { batchesOf } from '../base/lists'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { readEntries, removeEntries } from './domain-entries'
import { BATCH, readObstacles, type Obstacle } from './owners'
import { formatFlags } from './formats'

const RECONCILE = readScript(__dirname, 'owners_reconcile')

/** How to reconcile claims. */
export interface ReconcileOptions {
  /**
   * `all` by default; `idle`: not what another command is about to write; `interrupted`: only what an interrupted command
   * has left pending.
   */
  readonly which?: 'all' | 'idle' | 'interrupted'
  /** The lease of the caller: see `pending.ts`. */
  readonly lease?: string
  /** It ends with this call. */
  readonly isLast?: boolean
  /** Told how many names are done. */
  readonly progress?: (done: number) => void
}

/**
 * Reconciles the claims on some names with a tenant's own list, which the caller has just changed: claims what the list
 * owns, with exactly its flags, and frees what it does not own. Claims and lists lie in different slots, so no script can
 * see both; the list is read before and after, and again while other callers change it. Every caller that writes an entry
 * reconciles it afterwards, so the last one sees the last entry written. The names are not pending any more.
 *
 * @returns the names that another tenant owns; they are removed from the list.
 * @throws where the list changes 20 times in a row.
 */
export async function reconcileClaims(
  store: Store,
  tenant: string,
  domains: readonly string[],
  options: ReconcileOptions = {},
): Promise<Obstacle[]> {
  const lost: Obstacle[] = []
  let done = 0
  for (const batch of batchesOf(domains, BATCH)) {
    done += batch.length
    const isLast = options.isLast === true && done === domains.length
    lost.push(...(await reconcileBatch(store, tenant, batch, { ...options, isLast })))
    options.progress?.(done)
  }
  return lost
}

async function reconcileBatch(
  store: Store,
  tenant: string,
  domains: readonly string[],
  { which = 'all', lease = '', isLast }: ReconcileOptions,
): Promise<Obstacle[]> {
  const { keys } = store
  const lost: Obstacle[] = []
  let open = await readWanted(store, tenant, domains)
  let among = which
  return retryConcurrent(`accepted domains of ${tenant} were`, async () => {
    if (open.size === 0) return lost
    const obstacles = readObstacles(
      await store.run(
        RECONCILE,
        [keys.ownerNames, keys.ownerIndex, keys.ownerVersion, keys.ownerMoves, keys.ownerPending],
        [tenant, among, lease, isLast ? 1 : 0, ...[...open].flat()],
      ),
    )
    // What the list has changed meanwhile counts whatever was pending.
    among = 'all'
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
