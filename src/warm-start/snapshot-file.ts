import { existsSync } from 'node:fs'
import { openRecords } from '../backup/file'
import type { RegistryRecord, TenantRecord } from '../backup/record'
import { InputError } from '../errors'
import type { Mode } from '../mode'
import { parentsOf } from '../names/domain'
import type { Scope } from '../restriction/restriction'
import { ConnectorIndex } from '../tenants/connector-index'
import { decodeConnector } from '../tenants/connector-reader'
import type { Remembered } from '../tenants/directory'
import { parseFlags } from '../tenants/packing'
import type { OwnSnapshot } from '../tenants/snapshot-reader'

/**
 * Reads what an earlier process knew; `undefined`: there is no such file.
 *
 * @param prefix of our keys: another installation's file is not ours.
 * @throws {InputError} it cannot be read, is damaged, or is none of ours; then nothing of it is to be believed.
 */
export async function readSnapshotFile(
  file: string,
  prefix: string,
): Promise<Remembered | undefined> {
  if (!existsSync(file)) return undefined
  const opened = await openRecords(file)
  try {
    const { kind, prefix: theirs, epoch, createdAt } = opened.header
    if (kind !== 'snapshot') throw new InputError(`${file}: it is a ${kind}, and no snapshot`)
    if (theirs !== prefix) {
      throw new InputError(
        `${file}: it was written for keys that begin with "${theirs}", not with "${prefix}": give each installation a file of its own`,
      )
    }
    const builder = new Builder()
    // The checksum stands at the end: what is not whole throws before anything is believed.
    for await (const record of opened.records()) builder.add(record)
    return { epoch, seenAt: createdAt, ...builder.built() }
  } finally {
    await opened.close()
  }
}

class Builder {
  private readonly connectors = new ConnectorIndex()
  private readonly tenants: OwnSnapshot[] = []
  private readonly owners = new Map<string, { tenant: string; subdomains: boolean }>()

  add(record: RegistryRecord): void {
    switch (record.type) {
      case 'connector':
        return this.connectors.set(decodeConnector(record.id, record.value))
      case 'tenant':
        return void this.tenants.push(toSnapshot(record))
      case 'domains':
        // The reader lets no other tenant come between a tenant and its domains.
        return this.addDomains(this.tenants.at(-1)!, record.domains)
    }
  }

  built(): Pick<Remembered, 'connectors' | 'tenants' | 'ownerOf'> {
    const { connectors, tenants, owners } = this
    return { connectors, tenants, ownerOf: (domain) => ownerOf(owners, domain) }
  }

  private addDomains({ tenant, domains }: OwnSnapshot, entries: ReadonlyMap<string, string>): void {
    for (const [domain, packed] of entries) {
      const { subdomains, shared } = parseFlags(packed)
      domains.set(domain, subdomains)
      if (!shared) this.owners.set(domain, { tenant, subdomains })
    }
  }
}

function toSnapshot({ id, fields, restriction }: TenantRecord): OwnSnapshot {
  return {
    tenant: id,
    domainsToken: fields.get('domains') ?? '',
    stateToken: fields.get('state') ?? '',
    mode: fields.get('mode') as Mode | undefined,
    restricted: restriction?.get('scope') as Scope | undefined,
    restrictedBy: restriction?.get('by') ?? '',
    domains: new Map(),
  }
}

function ownerOf(
  owners: ReadonlyMap<string, { tenant: string; subdomains: boolean }>,
  domain: string,
): string | undefined {
  const own = owners.get(domain)
  if (own) return own.tenant
  const above = parentsOf(domain).find((parent) => owners.get(parent)?.subdomains)
  return above === undefined ? undefined : owners.get(above)!.tenant
}
