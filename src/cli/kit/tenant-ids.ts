import { scanSet } from '../../store/scan'
import type { GlobalOptions } from './global-options'
import type { Io } from './io'
import { Site } from './site'
import { withStore } from './store'

/**
 * The ids of all tenants, in no order, for a person who is typing a command line: nothing is printed.
 *
 * @throws as {@link Site.redis} and {@link withStore}.
 */
export async function tenantIds(io: Io, options: GlobalOptions): Promise<string[]> {
  return withStore(new Site(options, io, () => {}).redis(), async (store) => {
    const ids = new Set<string>()
    for await (const batch of scanSet(store, store.keys.tenants)) {
      for (const id of batch) ids.add(id)
    }
    return [...ids]
  })
}
