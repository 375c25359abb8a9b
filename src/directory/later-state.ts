import type { RegistryRecord, TenantRecord } from '../registry-file/record'
import { markOf, type Mark } from '../records/token'
import type { Store } from '../store/store'
import type { Directory, LaterState } from './directory'
import type { SnapshotFile } from './snapshot-file'
import { restrictionIn, StateBuilder } from './state-builder'

/** Tenants compared with Redis at the same time. */
const AT_ONCE = 100

/** What a snapshot file holds of a later state than Redis, which has gone back in time since. */
export interface LaterInFile extends LaterState {
  /** The records of tenants of which Redis has lost something. */
  readonly records: readonly TenantRecords[]
}

/** A tenant with its domains. */
export type TenantRecords = readonly [TenantRecord, ...RegistryRecord[]]

/**
 * Compares a snapshot file with Redis, in batches; only what is later, and restrictions and lifts, is kept in memory.
 *
 * @throws {InputError} it is damaged; nothing of it may be used then.
 * @throws if Redis does not answer.
 */
export async function readLaterState(
  file: SnapshotFile,
  store: Store,
  directory: Directory,
): Promise<LaterInFile> {
  const { client, keys } = store
  const { connectorsMark = 0 } = file
  const isLater = (known: Mark, found: Mark): boolean => directory.registry.hasLost(known, found)
  const connectorsAreLater = isLater(connectorsMark, markOf(await client.get(keys.connectorsToken)))
  const builder = new StateBuilder()
  const kept: TenantRecords[] = []
  for await (const batch of batchesOfEntries(file.records())) {
    const found = await Promise.all(batch.map(([first]) => markInRedis(store, first)))
    batch.forEach((records, at) => {
      const [first, ...domains] = records
      if (first.type === 'connector' && connectorsAreLater) builder.add(first)
      if (first.type !== 'tenant') return
      const later = isLater(markOfRecord(first), found[at]!)
      if (later) for (const record of records) builder.add(record)
      else builder.addStanding(first)
      const restriction = restrictionIn(first)
      const isKnown = restriction === undefined || directory.knows(restriction)
      if (later || !isKnown || directory.hasLost(first.id)) kept.push([first, ...domains])
    })
  }
  const { connectors, tenants, restrictions } = builder.built()
  const { lifts } = builder
  return {
    ...(connectorsAreLater && { connectors, connectorsMark }),
    ...{ tenants, restrictions, lifts, records: kept },
  }
}

/** A connector, or a tenant with its domains. */
type FileEntry = [RegistryRecord, ...RegistryRecord[]]

async function* batchesOfEntries(
  records: AsyncIterable<RegistryRecord>,
): AsyncGenerator<FileEntry[]> {
  let batch: FileEntry[] = []
  for await (const record of records) {
    if (record.type === 'domains') batch.at(-1)!.push(record)
    else {
      if (batch.length === AT_ONCE) {
        yield batch
        batch = []
      }
      batch.push([record])
    }
  }
  yield batch
}

async function markInRedis({ client, keys }: Store, record: RegistryRecord): Promise<Mark> {
  if (record.type !== 'tenant') return 0
  return markOf(...(await client.hmget(keys.tenant(record.id), 'domains', 'state')))
}

function markOfRecord({ fields }: TenantRecord): Mark {
  return markOf(fields.get('domains'), fields.get('state'))
}
