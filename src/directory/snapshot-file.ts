import { existsSync } from 'node:fs'
import { openRecords, type RecordFile } from '../registry-file/read-file'
import type { RegistryRecord, TenantRecord } from '../registry-file/record'
import { InputError } from '../base/errors'
import { coveringDomain } from '../names/covering'
import { ConnectorIndex } from './connector-index'
import { decodeConnector } from '../registry/connector-reader'
import type { Remembered, RememberedRestriction } from './directory'
import { parseFlags } from '../registry/formats'
import { restrictionInForce, settingsInForce } from './snapshot'
import { CACHED_FIELDS, type OwnSnapshot } from './snapshot-reader'

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
      return { epoch: this.epoch, seenAt: this.seenAt, ...builder.built() }
    } finally {
      await this.opened.close()
    }
  }
}

class Builder {
  private readonly connectors = new ConnectorIndex()
  private readonly tenants: OwnSnapshot[] = []
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
    if (!record.restriction) return
    const { tenant, created } = snapshot
    const restriction = Object.fromEntries(record.restriction)
    this.restrictions.push({ tenant, created, restriction })
  }

  private addDomains({ tenant, domains }: OwnSnapshot, entries: ReadonlyMap<string, string>): void {
    for (const [domain, packed] of entries) {
      const flags = parseFlags(packed)
      domains.set(domain, flags)
      if (!flags.shared) this.owners.set(domain, { tenant, subdomains: flags.subdomains })
    }
  }
}

function toSnapshot({ id, fields, restriction }: TenantRecord): OwnSnapshot {
  return {
    tenant: id,
    domainsToken: fields.get('domains') ?? '',
    stateToken: fields.get('state') ?? '',
    created: fields.get('createdAt') ?? '',
    ...settingsInForce(
      Object.fromEntries(
        CACHED_FIELDS.flatMap((field) => {
          const value = fields.get(field)
          return value === undefined ? [] : [[field, value]]
        }),
      ),
    ),
    ...restrictionInForce(restriction && Object.fromEntries(restriction)),
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
