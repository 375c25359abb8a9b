import type { Command } from 'commander'
import { InputError } from '../../base/errors'
import { connectorId, type RawIdentities } from '../../mail/identities'
import { setIdentities } from '../../operations/connectors'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { noteManaged } from '../kit/managed'
import { manual } from '../kit/manual'
import { NO_TENANT_OR_CONNECTOR } from '../kit/statuses'
import { CONNECTOR_DONE, identitiesOf, identitiesView } from '../views/connector'
import { addIdentityOptions, identitiesIn, type IdentityOptions } from './connector-identities'

/** `tenantctl connector set` */
export function addSet(connector: Command, io: Io): void {
  const command = connector
    .command('set')
    .description('add identities to a connector and remove others, all at once')
    .argument('<tenant>')
    .argument('<name>')
  addIdentityOptions(command, 'add')
  addIdentityOptions(command, 'remove')
  command.action(async (tenant: string, name: string, options: IdentityOptions, self: Command) => {
    const context = contextOf(io, self)
    const { out } = context
    const change = { add: identitiesIn(options, 'add'), remove: identitiesIn(options, 'remove') }
    if (Object.values(change).every(isEmpty)) {
      throw new InputError(
        'nothing to set: give one or more of --add-ip, --remove-ip, --add-cert …',
      )
    }
    await context.writing(async (store) => {
      const { result, was, now } = await setIdentities(store, tenant, name, change)
      const id = connectorId(tenant, name)
      const views = { was: identitiesView(was), now: identitiesView(now) }
      out.result({ result, tenant, name, ...views }, () => {
        if (result === 'unchanged') {
          out.line(`${CONNECTOR_DONE.set(id, result)}: ${identitiesOf(now)}`)
        } else {
          out.line(CONNECTOR_DONE.set(id, result))
          out.facts([
            ['  was', identitiesOf(was)],
            ['  now', identitiesOf(now)],
          ])
        }
      })
      await noteManaged(context, store, tenant)
    })
  })
  manual(command, {
    examples: [
      'connector set contoso exchange --add-ip 192.0.2.11',
      'connector set contoso exchange --add-ip 198.51.100.7 --remove-ip 192.0.2.10',
      "connector set contoso web --remove-auth web@contoso.com --add-auth '*@contoso.com'",
    ],
    json: [
      'result: changed | unchanged',
      'tenant, name',
      'was, now: its identities before and after, {ip, cert, cert_sha256, auth: arrays}',
    ],
    exit: {
      ...NO_TENANT_OR_CONNECTOR,
      4: 'another connector has one of them, none would be left, or it is blocked and would lose one; nothing was changed',
    },
  })
}

function isEmpty(identities: RawIdentities): boolean {
  return Object.values({ ...identities }).flat().length === 0
}
