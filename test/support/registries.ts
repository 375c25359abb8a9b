import { ConnectorRegistry } from '../../src/registry/connector-registry'
import { DomainRegistry } from '../../src/registry/domain-registry'
import { TenantRegistry } from '../../src/registry/tenant-registry'
import type { Store } from '../../src/store/store'

/** The three registries over one store. */
export class Registries {
  readonly tenants: TenantRegistry
  readonly domains: DomainRegistry
  readonly connectors: ConnectorRegistry

  constructor(readonly store: Store) {
    this.tenants = new TenantRegistry(store)
    this.domains = new DomainRegistry(store)
    this.connectors = new ConnectorRegistry(store)
  }
}
