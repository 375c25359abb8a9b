import type { Command } from 'commander'
import type { Act } from '../../allowance/restriction'
import { assertConnectorName, assertTenantId, connectorId } from '../../mail/identities'
import {
  blockConnector,
  unblockConnector,
  type ConnectorChange,
} from '../../operations/connector-block'
import type { Store } from '../../store/store'
import { acceptedReason } from '../kit/actor'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { NO_TENANT_OR_CONNECTOR } from '../kit/statuses'
import { CONNECTOR_DONE } from '../views/connector'
import {
  assertConfirmed,
  CONFIRMED_FIELDS,
  confirmationView,
  NOT_CONFIRMED,
  printConfirmation,
  WAIT,
  type ChangeMade,
} from '../views/confirmation'

interface Options {
  readonly reason: string
  readonly wait?: boolean
}

/** `tenantctl connector block` */
export function addBlock(connector: Command, io: Io): void {
  addChange(connector, io, {
    word: 'block',
    description:
      'refuse all that a connector relays with 550 5.7.711, on every node at once; the others of its tenant go on',
    change: blockConnector,
    made: 'blockConnector',
    reason: 'taken over, ticket 4711',
  })
}

/** `tenantctl connector unblock` */
export function addUnblock(connector: Command, io: Io): void {
  addChange(connector, io, {
    word: 'unblock',
    description: 'let a blocked connector relay again',
    change: unblockConnector,
    made: 'unblockConnector',
    reason: 'reinstalled, passwords changed',
  })
}

interface Change {
  readonly word: 'block' | 'unblock'
  readonly description: string
  readonly change: (
    store: Store,
    tenant: string,
    name: string,
    act: Act,
  ) => Promise<ConnectorChange<string>>
  readonly made: ChangeMade
  /** An example. */
  readonly reason: string
}

function addChange(connector: Command, io: Io, { word, ...of }: Change): void {
  const command = connector
    .command(word)
    .description(of.description)
    .argument('<tenant>')
    .argument('<name>')
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .option(...WAIT)
    .action(async (tenant: string, name: string, options: Options, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const { id, reason } = checked(tenant, name, options)
      await context.writing(async (store) => {
        const { result, confirmation } = await of.change(store, tenant, name, { by, reason })
        out.result({ result, tenant, name, confirmed: confirmationView(confirmation) }, () => {
          out.line(CONNECTOR_DONE[word](id, result))
          printConfirmation(out, confirmation, of.made)
        })
        if (options.wait) assertConfirmed(confirmation)
      })
    })
  manual(command, {
    examples: [`connector ${word} contoso edge --reason "${of.reason}"`],
    json: [`result: ${word}ed | unchanged`, 'tenant', 'name', ...CONFIRMED_FIELDS],
    exit: { ...NO_TENANT_OR_CONNECTOR, ...NOT_CONFIRMED },
  })
}

function checked(
  tenant: string,
  name: string,
  { reason }: Options,
): { id: string; reason: string } {
  assertTenantId(tenant)
  assertConnectorName(name)
  return { id: connectorId(tenant, name), reason: acceptedReason(reason) }
}
