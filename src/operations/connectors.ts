import type { RawIdentities } from '../mail/identities'
import type { Connector, Identities } from '../mail/tenant'
import {
  readConnectorStates,
  readSomeConnectors,
  type ConnectorStates,
} from '../registry/connector-reader'
import {
  ConnectorRegistry,
  sameIdentities,
  type IdentitiesChange,
} from '../registry/connector-registry'
import type { Client, Store } from '../store/store'

/** Adds a connector. @param by who does it. @throws as {@link ConnectorRegistry.add}. */
export async function addConnector(
  store: Store,
  tenant: string,
  name: string,
  identities: RawIdentities,
  by: string,
): Promise<'added' | 'unchanged'> {
  return new ConnectorRegistry(store).add(tenant, name, identities, by)
}

/** Removes a connector. @throws as {@link ConnectorRegistry.remove}. */
export async function removeConnector(store: Store, tenant: string, name: string): Promise<void> {
  await new ConnectorRegistry(store).remove(tenant, name)
}

/** Lets a connector relay, or refuses what it relays. @throws {NotFoundError} */
export async function enableConnector(
  store: Store,
  tenant: string,
  name: string,
  enabled: boolean,
): Promise<'changed' | 'unchanged'> {
  return new ConnectorRegistry(store).setEnabled(tenant, name, enabled)
}

/** Gives a connector more identities and takes others away. @throws as {@link ConnectorRegistry.setIdentities}. */
export async function setIdentities(
  store: Store,
  tenant: string,
  name: string,
  change: IdentitiesChange,
): Promise<{
  readonly result: 'changed' | 'unchanged'
  readonly was: Identities
  readonly now: Identities
}> {
  const { was, now } = await new ConnectorRegistry(store).setIdentities(tenant, name, change)
  return { result: sameIdentities(was, now) ? 'unchanged' : 'changed', was, now }
}

/** Some connectors of all tenants: those that relay nothing first. */
export interface ConnectorsSeen {
  readonly connectors: readonly Connector[]
  /** All that relay nothing. */
  readonly stopped: number
  readonly all: number
}

const STATES = new WeakMap<Client, { readonly token: string; readonly states: ConnectorStates }>()

/**
 * All connectors that are blocked or disabled, by id. All connectors are looked at only where one was changed since the
 * last time.
 */
export async function stoppedConnectors(store: Store): Promise<readonly Connector[]> {
  return (await statesOf(store)).stopped
}

/** The same, with others by id up to `most` in all. */
export async function someConnectors(store: Store, most: number): Promise<ConnectorsSeen> {
  const { stopped, others } = await statesOf(store)
  const some = others.slice(0, Math.max(0, most - stopped.length))
  const read = await readSomeConnectors(store, some)
  return {
    connectors: [...stopped.slice(0, most), ...read.flatMap(([, each]) => each ?? [])],
    stopped: stopped.length,
    all: stopped.length + others.length,
  }
}

async function statesOf(store: Store): Promise<ConnectorStates> {
  const { client, keys } = store
  // Read first: a change meanwhile is read by the next call.
  const token = (await client.get(keys.connectorsToken)) ?? ''
  const known = STATES.get(client)
  if (known?.token === token) return known.states
  const states = await readConnectorStates(store)
  STATES.set(client, { token, states })
  return states
}
