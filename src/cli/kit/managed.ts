import { tenantctl } from '../../base/command-line'
import { managingFile } from '../../operations/managed'
import type { Store } from '../../store/store'
import type { Context } from './context'

/**
 * Notes on stderr where a tenants file manages a tenant that a command changes. Every command calls it that changes what a
 * file may say: settings, accepted domains, connectors.
 */
export async function noteManaged(context: Context, store: Store, tenant: string): Promise<void> {
  const file = await managingFile(store, tenant)
  if (file === undefined) return
  context.note(managedText(tenant, file))
}

/** @param file as `file:ID`. */
export function managedText(tenant: string, file: string): string {
  return `${tenant} comes from ${file}, which will set back what it says of it: change it there, or detach the tenant from it (${tenantctl('tenant', 'detach', tenant)})`
}
