import { scanSet, scanTags } from '../../store/scan'
import type { Store } from '../../store/store'
import { repairable, type Inconsistency } from './inconsistency'

/** Compares the indexes of tenants and of restricted tenants with what they index. */
export async function findInIndexes(
  store: Store,
  tenants: ReadonlySet<string>,
): Promise<Inconsistency[]> {
  const { keys } = store
  const found: Inconsistency[] = []
  const indexed = await readSet(store, keys.tenants)
  for (const tenant of without(tenants, indexed)) {
    found.push(
      repairable('tenant-index', { tenant }, `tenant ${tenant} is not in the index`, 'entered'),
    )
  }
  for (const tenant of without(indexed, tenants)) {
    found.push(
      repairable(
        'tenant-index',
        { tenant },
        `the index names a tenant ${tenant} that does not exist`,
        'taken out',
      ),
    )
  }
  const restricted = await scanTags(store, ':restriction')
  const indexedRestricted = await readSet(store, keys.restricted)
  for (const tenant of without(restricted, indexedRestricted)) {
    found.push(
      repairable(
        'restricted-index',
        { tenant },
        `tenant ${tenant} is restricted, but not in the index of the restricted`,
        'entered',
      ),
    )
  }
  for (const tenant of without(indexedRestricted, restricted)) {
    found.push(
      repairable(
        'restricted-index',
        { tenant },
        `the index of the restricted names ${tenant}, which is not restricted`,
        'taken out',
      ),
    )
  }
  return found
}

export async function repairIndexes(store: Store, found: readonly Inconsistency[]): Promise<void> {
  const { keys } = store
  for (const { kind, tenant } of found) {
    if (kind === 'tenant-index') await reindex(store, keys.tenants, keys.tenant(tenant), tenant)
    else await reindex(store, keys.restricted, keys.restriction(tenant), tenant)
  }
}

/** Corrects one member of an index by its key, which is in another slot. */
async function reindex(store: Store, index: string, key: string, member: string): Promise<void> {
  const { client } = store
  if ((await client.exists(key)) === 0) await client.srem(index, member)
  // It may have been written meanwhile. A removal takes it out of the index afterwards.
  if ((await client.exists(key)) === 1) await client.sadd(index, member)
}

async function readSet(store: Store, key: string): Promise<Set<string>> {
  const members = new Set<string>()
  for await (const batch of scanSet(store, key)) for (const member of batch) members.add(member)
  return members
}

function without(all: ReadonlySet<string>, some: ReadonlySet<string>): string[] {
  return [...all].filter((each) => !some.has(each)).sort()
}
