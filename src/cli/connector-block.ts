import type { Command } from 'commander'
import { assertConnectorName, assertTenantId, connectorId } from '../tenants/identities'
import { Registry } from '../tenants/registry'
import { acceptedReason } from './actor'
import { contextOf } from './context'
import type { Io } from './io'
import { manual } from './manual'
import { NO_TENANT_OR_CONNECTOR } from './statuses'

interface Options {
  readonly reason: string
}

/** `tenantctl connector block` */
export function addBlock(connector: Command, io: Io): void {
  const command = connector
    .command('block')
    .description(
      'refuse all that a connector relays with 550 5.7.711, on every node at once; the others of its tenant go on',
    )
    .argument('<tenant>')
    .argument('<name>')
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .action(async (tenant: string, name: string, options: Options, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const { id, reason } = checked(tenant, name, options)
      await context.writing(async (store) => {
        const result = await new Registry(store).blockConnector(tenant, name, { by, reason })
        out.result({ result, tenant, name }, () =>
          out.line(
            result === 'blocked'
              ? `blocked connector ${id}: all that it relays is refused`
              : `connector ${id} is blocked already`,
          ),
        )
      })
    })
  manual(command, {
    examples: ['connector block contoso edge --reason "taken over, ticket 4711"'],
    json: ['result: blocked | unchanged', 'tenant', 'name'],
    exit: NO_TENANT_OR_CONNECTOR,
  })
}

/** `tenantctl connector unblock` */
export function addUnblock(connector: Command, io: Io): void {
  const command = connector
    .command('unblock')
    .description('let a blocked connector relay again')
    .argument('<tenant>')
    .argument('<name>')
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .action(async (tenant: string, name: string, options: Options, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const { id, reason } = checked(tenant, name, options)
      await context.writing(async (store) => {
        const result = await new Registry(store).unblockConnector(tenant, name, { by, reason })
        out.result({ result, tenant, name }, () =>
          out.line(
            result === 'unblocked' ? `unblocked connector ${id}` : `connector ${id} is not blocked`,
          ),
        )
      })
    })
  manual(command, {
    examples: ['connector unblock contoso edge --reason "installed anew, passwords changed"'],
    json: ['result: unblocked | unchanged', 'tenant', 'name'],
    exit: NO_TENANT_OR_CONNECTOR,
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
