import { readScript } from '../store/script'
import type { Store } from '../store/store'

const ADD = readScript(__dirname, 'audit_add')
const KEEP = readScript(__dirname, 'audit_keep')

/** Adds an entry to a trail, for a change that spans slots or has no script of its own. */
export async function addEntry(
  store: Store,
  trail: string,
  entry: { subject: string; what: string; from?: string; to?: string },
): Promise<void> {
  const { subject, what, from = '', to = '' } = entry
  await store.run(ADD, [trail], [store.actor, subject, what, from, to])
}

/**
 * Keeps an entry of a tenant's trail among those of all tenants, where it outlives that trail. Another slot: a crash
 * right before leaves it in the tenant's own.
 *
 * @param line as the script returned it.
 */
export async function keepEntry(store: Store, tenant: string, line: string): Promise<void> {
  await store.run(KEEP, [store.keys.tenantsAudit], [line, tenant])
}
