import type { Store } from '../store/store'

/** Checksum of the backup whose restore was interrupted; `undefined`: there is none. */
export async function unfinishedRestore(store: Store): Promise<string | undefined> {
  return (await store.client.get(store.keys.restore)) ?? undefined
}
