import { tenantctl } from '../../base/command-line'
import { blockInWords } from '../../explain/words'
import { connectorId } from '../../mail/identities'
import type { Connector } from '../../mail/tenant'
import { warn, type Line } from './line'

/** Lists blocked connectors: no other check reminds the operator of them. */
export function checkBlocks(connectors: readonly Connector[]): Line[] {
  return connectors.flatMap(({ tenant, name, blocked }) =>
    blocked
      ? warn(
          'blocked',
          `${connectorId(tenant, name)} is blocked ${blockInWords(blocked)}`,
          `once its server is clean: ${tenantctl('connector', 'unblock', tenant, name)} --reason …`,
          { subject: connectorId(tenant, name), problem: 'connectors are blocked' },
        )
      : [],
  )
}
