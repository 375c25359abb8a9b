import { NotFoundError } from '../base/errors'
import type { Work } from '../base/work'
import { Cases } from '../cases/cases'
import { removeTenant as removeFromRegistry } from '../registry/tenant-removal'
import { tenantExists } from '../registry/tenant-registry'
import type { Store } from '../store/store'

/**
 * Removes a tenant with its accepted domains, connectors and usage, and closes its cases.
 *
 * @param by who does it.
 * @throws {NotFoundError} no such tenant.
 * @throws {RefusedError} it is restricted, or one of its connectors is blocked.
 * @throws {InterruptedError} it was stopped; nothing was removed.
 */
export async function removeTenant(
  store: Store,
  id: string,
  by: string,
  work: Work = {},
): Promise<void> {
  await removeFromRegistry(store, id, work)
  await new Cases(store).closeOfRemoved(id, by)
}

/**
 * Completes an interrupted removal.
 *
 * @returns whether there was such a tenant, which is now removed.
 */
export async function finishRemoval(store: Store, id: string): Promise<boolean> {
  if (await tenantExists(store, id)) return false
  const { client, keys } = store
  if ((await client.exists(keys.audit(id), keys.caseCount(id))) === 0) return false
  await removeFromRegistry(store, id).catch((error: unknown) => {
    if (!(error instanceof NotFoundError)) throw error
  })
  return true
}
