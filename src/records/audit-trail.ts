import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { randomToken } from './token'

const ADD = readScript(__dirname, 'audit_add')
const KEEP = readScript(__dirname, 'audit_keep')

/** Adds an entry to a trail, for a change that spans slots or has no script. */
export async function addEntry(
  store: Store,
  trail: string,
  entry: { subject: string; what: string; from?: string; to?: string },
): Promise<void> {
  const { subject, what, from = '', to = '' } = entry
  await store.run(ADD, [trail], [store.actor, subject, what, from, to])
}

/**
 * Copies an entry of a tenant's trail to the trail of all tenants, which outlives it. That is another slot: after a crash
 * in between the entry is in the tenant's trail only.
 *
 * @param line as the script returned it.
 */
export async function keepEntry(store: Store, tenant: string, line: string): Promise<void> {
  const { keys } = store
  await store.run(KEEP, [keys.tenantsAudit, keys.epoch], [line, tenant, randomToken()])
}
