import type { RegistryRecord, TenantRecord } from '../registry-file/record'
import { coveringDomain } from '../names/covering'
import { ConnectorIndex } from './connector-index'
import { decodeConnector } from '../registry/connector-reader'
import type { Remembered } from './directory'
import { parseFlags } from '../registry/formats'
import { restrictionInForce, settingsInForce } from './snapshot'
import { CACHED_FIELDS, type OwnSnapshot } from './snapshot-reader'
import type { RememberedLift, RememberedRestriction } from './standings'

/** Builds what a process remembers from the records of a snapshot file. */
export class StateBuilder {
  /** The last lifts of tenants that are not restricted. */
  readonly lifts: RememberedLift[] = []
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

/** The restriction in a record; `undefined`: not restricted. */
export function restrictionIn(record: TenantRecord): RememberedRestriction | undefined {
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
