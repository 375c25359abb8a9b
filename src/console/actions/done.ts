import { managedText } from '../../cli/kit/managed'
import { managingFile } from '../../operations/managed'
import type { Store } from '../../store/store'
import type { Done } from '../kit/action'

/**
 * What was done to something that a tenants file may say: settings, accepted domains, connectors.
 *
 * @param lines what was done. @param warnings what a person should know besides.
 */
export async function doneTo(
  store: Store,
  tenant: string,
  lines: readonly string[],
  warnings: readonly string[] = [],
): Promise<Done> {
  const file = await managingFile(store, tenant)
  const notes = [...warnings, ...(file === undefined ? [] : [managedText(tenant, file)])]
  return { tone: notes.length > 0 ? 'warn' : 'good', lines: [...lines, ...notes] }
}
