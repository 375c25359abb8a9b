import { InputError } from '../base/errors'
import type { Act } from '../allowance/restriction'
import type { Store } from '../store/store'
import { ConnectorRegistry } from './connector-registry'
import type { DomainEntry } from './domain-entries'
import { DomainRegistry } from './domain-registry'
import type { RawIdentities } from '../mail/identities'
import { removeTenant } from './tenant-removal'
import { TenantRegistry, type TenantSettings } from './tenant-registry'
import type { AcceptedDomain, Connector, Tenant } from '../mail/tenant'

/** What marks a tenants file among those who register something: `file:ID`. */
const FILE_SOURCE = 'file:'

/** The source that stands for a tenants file. */
export function fileSource(id: string): string {
  return `${FILE_SOURCE}${id}`
}

/**
 * All that operators do to tenants, accepted domains and connectors. The parts know how; this says who may be named as
 * the one who did it.
 */
export class Registry {
  readonly tenants: TenantRegistry
  readonly domains: DomainRegistry
  readonly connectors: ConnectorRegistry

  constructor(readonly store: Store) {
    this.tenants = new TenantRegistry(store)
    this.domains = new DomainRegistry(store)
    this.connectors = new ConnectorRegistry(store)
  }

  /** See {@link TenantRegistry.add}. */
  async addTenant(
    id: string,
    settings: TenantSettings,
    by: string,
  ): Promise<'added' | 'unchanged'> {
    return this.tenants.add(id, settings, toActor(by))
  }

  /** See {@link TenantRegistry.set}. */
  async setTenant(id: string, settings: TenantSettings): Promise<'changed' | 'unchanged'> {
    return this.tenants.set(id, settings)
  }

  async getTenant(id: string): Promise<Tenant | undefined> {
    return this.tenants.get(id)
  }

  /** All tenants by id. */
  async listTenants(): Promise<Tenant[]> {
    return this.tenants.list()
  }

  /** See {@link removeTenant}. */
  async removeTenant(id: string): Promise<void> {
    await removeTenant(this.store, this.connectors, id)
  }

  /** See {@link DomainRegistry.add}. */
  async addDomains(
    tenant: string,
    domains: readonly DomainEntry[],
    by: string,
  ): Promise<{ added: string[]; unchanged: string[] }> {
    return this.domains.add(tenant, domains, toActor(by))
  }

  /** See {@link DomainRegistry.remove}. */
  async removeDomains(tenant: string, domains: readonly string[]): Promise<void> {
    await this.domains.remove(tenant, domains)
  }

  /** See `moveDomain` in domain-move.ts. */
  async moveDomain(domain: string, to: string, by: string): Promise<{ from: string | undefined }> {
    return this.domains.move(domain, to, toActor(by))
  }

  /** See {@link DomainRegistry.list}. */
  async listDomains(tenant: string): Promise<AcceptedDomain[]> {
    return this.domains.list(tenant)
  }

  /** See {@link ConnectorRegistry.add}. */
  async addConnector(
    tenant: string,
    name: string,
    identities: RawIdentities,
    by: string,
  ): Promise<'added' | 'unchanged'> {
    return this.connectors.add(tenant, name, identities, toActor(by))
  }

  /** See {@link ConnectorRegistry.remove}. */
  async removeConnector(tenant: string, name: string): Promise<void> {
    await this.connectors.remove(tenant, name)
  }

  /** See {@link ConnectorRegistry.setEnabled}. */
  async setConnectorEnabled(
    tenant: string,
    name: string,
    enabled: boolean,
  ): Promise<'changed' | 'unchanged'> {
    return this.connectors.setEnabled(tenant, name, enabled)
  }

  /** See {@link ConnectorRegistry.block}. */
  async blockConnector(
    tenant: string,
    name: string,
    { by, reason }: Act,
  ): Promise<'blocked' | 'unchanged'> {
    return this.connectors.block(tenant, name, { by: toActor(by), reason })
  }

  /** See {@link ConnectorRegistry.unblock}. */
  async unblockConnector(
    tenant: string,
    name: string,
    { by, reason }: Act,
  ): Promise<'unblocked' | 'unchanged'> {
    return this.connectors.unblock(tenant, name, { by: toActor(by), reason })
  }

  async getConnector(tenant: string, name: string): Promise<Connector | undefined> {
    return this.connectors.get(tenant, name)
  }

  /** See {@link ConnectorRegistry.list}. */
  async listConnectors(tenant?: string): Promise<Connector[]> {
    return this.connectors.list(tenant)
  }
}

/** @throws {InputError} what would break the one line of a log, or pass for a tenants file. */
function toActor(by: string): string {
  const trimmed = by.trim()
  // eslint-disable-next-line no-control-regex
  if (trimmed === '' || /[\x00-\x1f\x7f]/.test(trimmed) || trimmed.startsWith(FILE_SOURCE)) {
    throw new InputError(
      `${JSON.stringify(by)} does not say who does it: give --by a name in one line that does not begin with ${FILE_SOURCE}`,
    )
  }
  return trimmed
}
