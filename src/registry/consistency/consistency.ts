import type { Work } from '../../base/work'
import { scanTags } from '../../store/scan'
import type { Store } from '../../store/store'
import { findInConnectors, repairIdentities, removeOrphanConnectors } from './connectors'
import { findInIndexes, repairIndexes } from './indexes'
import { findInOwnership, repairOwnership } from './ownership'
import type { Inconsistency } from './inconsistency'

export type { Inconsistency } from './inconsistency'

/**
 * Everything in Redis that does not fit together. Reads all of it, in batches; what others write meanwhile may show up
 * here as inconsistent, and the repair looks again.
 */
export async function findInconsistencies(store: Store): Promise<Inconsistency[]> {
  const tenants = await scanTags(store, '')
  for (const tag of tenants) if (tag.startsWith('@')) tenants.delete(tag)
  return [
    ...(await findInIndexes(store, tenants)),
    ...(await findInOwnership(store, tenants)),
    ...(await findInConnectors(store, tenants)),
  ]
}

/**
 * Repairs what can be repaired. Safe while others write: each step checks again, in a script or right before it.
 *
 * @returns what only a person can resolve.
 */
export async function repair(
  store: Store,
  inconsistencies: readonly Inconsistency[],
  { progress }: Work = {},
): Promise<Inconsistency[]> {
  const about = (...kinds: Inconsistency['kind'][]): Inconsistency[] =>
    inconsistencies.filter((each) => each.repairable && kinds.includes(each.kind))

  await repairIndexes(store, about('tenant-index', 'restricted-index'))
  const ofOwners = about('unfinished-move', 'owner-index', ...ENTRY_KINDS)
  await repairOwnership(store, ofOwners, (done) => progress?.(done, ofOwners.length))
  await removeOrphanConnectors(store, about('connector-without-tenant'))
  if (about('identity-table').length > 0) await repairIdentities(store)
  return inconsistencies.filter((each) => !each.repairable)
}

const ENTRY_KINDS = [
  'claim-without-entry',
  'entry-without-claim',
  'claim-with-other-flags',
  'interrupted-change',
] as const
