import { scanSet } from '../../store/scan'
import { Context } from './context'
import type { GlobalOptions } from './global-options'
import type { Io } from './io'
import { withStore } from './store'

/**
 * The ids of all tenants, in no order, for a person who is typing a command line: nothing is printed.
 *
 * @throws as {@link Context.redis} and {@link withStore}.
 */
export async function tenantIds(io: Io, options: GlobalOptions): Promise<string[]> {
  const context = new Context({ ...io, stderr: { write: () => {} } }, options)
  return withStore(context.site.redis(), async (store) => {
    const ids = new Set<string>()
    for await (const batch of scanSet(store, store.keys.tenants)) {
      for (const id of batch) ids.add(id)
    }
    return [...ids]
  })
}
