import { existsSync } from 'node:fs'
import { openRecords, type RecordFile } from '../registry-file/read-file'
import type { RegistryRecord, TenantRecord } from '../registry-file/record'
import { markOf, type Mark } from '../records/token'
import type { Store } from '../store/store'
import { InputError } from '../base/errors'
import { coveringDomain } from '../names/covering'
import { ConnectorIndex } from './connector-index'
import { decodeConnector } from '../registry/connector-reader'
import type { Directory, LaterState, Remembered } from './directory'
import type { RememberedLift, RememberedRestriction } from './standings'
import { parseFlags } from '../registry/formats'
import { restrictionInForce, settingsInForce } from './snapshot'
import { CACHED_FIELDS, type OwnSnapshot } from './snapshot-reader'

/** Tenants compared with Redis at the same time. */
const AT_ONCE = 100

/**
 * Opens the snapshot file; `undefined`: there is none.
 *
 * @param prefix of the keys: the file of another installation is refused.
 * @throws {InputError} it cannot be read, or is not a snapshot of this installation.
 */
export async function openSnapshotFile(
  file: string,
  prefix: string,
): Promise<SnapshotFile | undefined> {
  if (!existsSync(file)) return undefined
  const opened = await openRecords(file)
  const { kind, prefix: theirs } = opened.header
  if (kind === 'snapshot' && theirs === prefix) return new SnapshotFile(opened)
  await opened.close()
  throw new InputError(
    kind === 'snapshot'
      ? `${file}: it was written for keys that begin with "${theirs}", not with "${prefix}": give each installation a file of its own`
      : `${file}: it is a ${kind}, not a snapshot`,
  )
}

/** What a snapshot file holds of a later state than Redis, which has gone back in time since. */
export interface LaterInFile extends LaterState {
  /** The records of tenants of which Redis has lost something. */
  readonly records: readonly TenantRecords[]
}

/** A tenant with its domains. */
export type TenantRecords = readonly [TenantRecord, ...RegistryRecord[]]

/** The snapshot that an earlier process has written. Its first line says of which registry. */
export class SnapshotFile {
  constructor(private readonly opened: RecordFile) {}

  get epoch(): string {
    return this.opened.header.epoch
  }

  /** Server time at which the registry was last seen, in ms since the epoch of Unix. */
  get seenAt(): number {
    return this.opened.header.createdAt
  }

  /** The last time that a tenant was added or removed; `undefined`: it does not say. */
  get changed(): Mark | undefined {
    return this.opened.header.changed?.tenants
  }

  private get connectorsMark(): Mark | undefined {
    return this.opened.header.changed?.connectors
  }

  /**
   * Reads all of it, and closes it.
   *
   * @param isWanted called for each record; reading ends with `undefined` when it returns `false`.
   * @throws {InputError} it is damaged; nothing of it may be used then.
   */
  async read(isWanted: () => boolean = () => true): Promise<Remembered | undefined> {
    try {
      const builder = new Builder()
      // The checksum is in the last line: a damaged file throws before anything of it is used.
      for await (const record of this.opened.records()) {
        if (!isWanted()) return undefined
        builder.add(record)
      }
      const { epoch, seenAt, changed, connectorsMark } = this
      return { epoch, seenAt, changed, connectorsMark, ...builder.built() }
    } finally {
      await this.close()
    }
  }

  /**
   * Compares all of it with Redis, in batches; only what is later, and restrictions and lifts, is kept in memory.
   *
   * @throws {InputError} it is damaged; nothing of it may be used then.
   * @throws if Redis does not answer.
   */
  async readLater(store: Store, directory: Directory): Promise<LaterInFile> {
    const { client, keys } = store
    const { connectorsMark = 0 } = this
    const isLater = (known: Mark, found: Mark): boolean =>
      known > found && known > directory.registry.accepted
    const connectorsAreLater = isLater(
      connectorsMark,
      markOf(await client.get(keys.connectorsToken)),
    )
    const builder = new Builder()
    const kept: TenantRecords[] = []
    for await (const batch of batchesOfEntries(this.opened.records())) {
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

  async close(): Promise<void> {
    await this.opened.close()
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

class Builder {
  private readonly connectors = new ConnectorIndex()
  private readonly tenants: OwnSnapshot[] = []
  readonly lifts: RememberedLift[] = []
  private readonly restrictions: RememberedRestriction[] = []
  private readonly owners = new Map<string, { tenant: string; subdomains: boolean }>()

  add(record: RegistryRecord): void {
    switch (record.type) {
      case 'connector':
        return this.connectors.set(decodeConnector(record.id, record.value))
      case 'tenant':
        return this.addTenant(record)
      case 'domains':
        // The reader refuses a file with another tenant between a tenant and its domains.
        return this.addDomains(this.tenants.at(-1)!, record.domains)
    }
  }

  built(): Pick<Remembered, 'connectors' | 'tenants' | 'restrictions' | 'ownerOf'> {
    const { connectors, tenants, restrictions, owners } = this
    return { connectors, tenants, restrictions, ownerOf: (domain) => ownerOf(owners, domain) }
  }

  private addTenant(record: TenantRecord): void {
    const snapshot = toSnapshot(record)
    this.tenants.push(snapshot)
    this.addStanding(record)
  }

  /** Adds only whether the tenant is restricted. */
  addStanding(record: TenantRecord): void {
    const restriction = restrictionIn(record)
    const { id: tenant, fields } = record
    const lifted = fields.get('lifted')
    if (restriction) this.restrictions.push(restriction)
    else if (lifted !== undefined) {
      const [created, probation] = [createdIn(record), fields.get('probation') ?? '']
      this.lifts.push({ tenant, created, lifted, probation })
    }
  }

  private addDomains({ tenant, domains }: OwnSnapshot, entries: ReadonlyMap<string, string>): void {
    for (const [domain, packed] of entries) {
      const flags = parseFlags(packed)
      domains.set(domain, flags)
      if (!flags.shared) this.owners.set(domain, { tenant, subdomains: flags.subdomains })
    }
  }
}

function createdIn({ fields }: TenantRecord): string {
  return fields.get('createdAt') ?? ''
}

function restrictionIn(record: TenantRecord): RememberedRestriction | undefined {
  const { id: tenant, restriction } = record
  if (!restriction) return undefined
  return { tenant, created: createdIn(record), restriction: Object.fromEntries(restriction) }
}

function toSnapshot(record: TenantRecord): OwnSnapshot {
  const { id, fields } = record
  return {
    tenant: id,
    domainsToken: fields.get('domains') ?? '',
    stateToken: fields.get('state') ?? '',
    created: createdIn(record),
    ...settingsInForce(
      Object.fromEntries(
        CACHED_FIELDS.flatMap((field) => {
          const value = fields.get(field)
          return value === undefined ? [] : [[field, value]]
        }),
      ),
    ),
    ...restrictionInForce(restrictionIn(record)?.restriction),
    domains: new Map(),
  }
}

function ownerOf(
  owners: ReadonlyMap<string, { tenant: string; subdomains: boolean }>,
  domain: string,
): string | undefined {
  const name = coveringDomain(owners, domain)
  return name === undefined ? undefined : owners.get(name)!.tenant
}
