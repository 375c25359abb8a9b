import { RefusedError } from '../base/errors'
import type { Store } from '../store/store'
import { isNewer, lookAtRegistry, SchemaError } from '../registry/epoch'
import type { Header, Verified } from '../registry-file/format'
import { readRegistry } from '../registry-file/read-registry'
import { formatRecord } from '../registry-file/record'

/** The contents of a backup. */
export interface BackupReport extends Verified {
  readonly tenants: number
  readonly domains: number
  readonly connectors: number
  readonly restricted: number
  /** Owners changed meanwhile: a moved domain may be in the backup with both tenants or with neither. */
  readonly ownersChanged: boolean
}

/** Writes header and lines to a file (`writeLines`) or a sink (`writeTo`). */
export type WriteFile = (header: Header, lines: AsyncIterable<string>) => Promise<Verified>

/**
 * Backs up registry, restrictions and usage.
 *
 * @throws {RefusedError} the registry is empty: the backup would replace a better one.
 * @throws {SchemaError} Redis holds a later schema.
 * @throws what ioredis throws, and `write`.
 */
export async function backup(store: Store, write: WriteFile): Promise<BackupReport> {
  const { keys, client } = store
  const { epoch, tenants, time } = await lookAtRegistry(store)
  if (epoch && isNewer(epoch)) throw new SchemaError(epoch.schema)
  if (tenants === 0) {
    throw new RefusedError(
      `Redis holds no tenant under ${keys.prefix}, and nothing was written: check that it is the right Redis and has not lost its data (tenantctl doctor)`,
    )
  }
  const header: Header = {
    kind: 'backup',
    prefix: keys.prefix,
    epoch: epoch?.epoch ?? '',
    schema: epoch?.schema ?? '1.0',
    createdAt: time,
    omitted: 0,
  }
  const owners = await client.get(keys.ownerVersion)
  const counts = { tenants: 0, domains: 0, connectors: 0, restricted: 0 }
  const written = await write(header, linesOf(store, counts))
  const ownersChanged = (await client.get(keys.ownerVersion)) !== owners
  return { ...written, ...counts, ownersChanged }
}

async function* linesOf(
  store: Store,
  counts: { tenants: number; domains: number; connectors: number; restricted: number },
): AsyncGenerator<string> {
  for await (const record of readRegistry(store)) {
    if (record.type === 'domains') counts.domains += record.domains.size
    else if (record.type === 'connector') counts.connectors++
    else if (record.type === 'tenant') {
      counts.tenants++
      if (record.restriction) counts.restricted++
    }
    yield formatRecord(record)
  }
}
