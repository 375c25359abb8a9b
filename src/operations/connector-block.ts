import type { Act } from '../allowance/restriction'
import { confirmed, type Confirmation } from '../nodes/confirm'
import { CONNECTORS } from '../nodes/question'
import { ConnectorRegistry } from '../registry/connector-registry'
import type { Store } from '../store/store'

/** Which of them it was, and in how many processes it is in force. */
export interface ConnectorChange<R> {
  readonly result: R
  readonly confirmation: Confirmation
}

/**
 * Refuses all that a connector relays, in every process at once.
 *
 * @throws {NotFoundError} no such tenant or connector.
 */
export async function blockConnector(
  store: Store,
  tenant: string,
  name: string,
  act: Act,
): Promise<ConnectorChange<'blocked' | 'unchanged'>> {
  return confirmed(store, [CONNECTORS], () => new ConnectorRegistry(store).block(tenant, name, act))
}

/** The opposite of {@link blockConnector}. @throws as that. */
export async function unblockConnector(
  store: Store,
  tenant: string,
  name: string,
  act: Act,
): Promise<ConnectorChange<'unblocked' | 'unchanged'>> {
  return confirmed(store, [CONNECTORS], () =>
    new ConnectorRegistry(store).unblock(tenant, name, act),
  )
}
