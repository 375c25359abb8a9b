import type { Command } from 'commander'
import { addConnector, enableConnector, removeConnector } from '../../operations/connectors'
import { ConnectorRegistry } from '../../registry/connector-registry'
import { blockInWords } from '../../explain/words'
import { noSuchConnector } from '../../registry/connector-registry'
import {
  assertConnectorName,
  assertTenantId,
  connectorId,
  normalizeIdentities,
} from '../../mail/identities'
import { addIdentityOptions, identitiesIn, type IdentityOptions } from './connector-identities'
import { addFind } from './connector-find'
import { addSet } from './connector-set'
import { addBlock, addUnblock } from './connector-block'
import { CONNECTOR_DONE, connectorView, identitiesOf, stateCell } from '../views/connector'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { noteManaged } from '../kit/managed'
import { groupManual, manual } from '../kit/manual'
import { shortTime } from '../../base/time'
import { NO_TENANT, NO_TENANT_OR_CONNECTOR } from '../kit/statuses'

const VIEW_FIELDS = [
  'tenant, name, enabled, added_at, added_by',
  'changed_at: when identities or enabled were changed last, or null',
  'ip, cert, cert_sha256, auth: arrays',
  'blocked: null, or {since, by, reason}',
]

/** `tenantctl connector add | set | remove | enable | disable | block | unblock | list | show | find` */
export function add(program: Command, io: Io): void {
  const connector = program
    .command('connector')
    .description('connectors: how the servers of a tenant are recognised')
  groupManual(connector, [
    'connector add contoso exchange --ip 192.0.2.10',
    'connector set contoso exchange --add-ip 192.0.2.11',
    'connector disable contoso exchange',
    'connector enable contoso exchange',
    'connector block contoso exchange --reason "taken over, ticket 4711"',
    'connector unblock contoso exchange --reason "reinstalled"',
    'connector show contoso exchange',
    'connector list contoso',
    'connector find 192.0.2.10',
    'connector remove contoso exchange',
  ])
  addAdd(connector, io)
  addSet(connector, io)
  addRemove(connector, io)
  addSwitch(connector, io, true)
  addSwitch(connector, io, false)
  addBlock(connector, io)
  addUnblock(connector, io)
  addList(connector, io)
  addShow(connector, io)
  addFind(connector, io)
}

function addAdd(connector: Command, io: Io): void {
  const command = addIdentityOptions(connector.command('add'))
    .description('add a connector; one matching identity is enough')
    .argument('<tenant>')
    .argument('<name>', 'lower-case letters, digits, . _ - (at most 63)')
    .action(async (tenant: string, name: string, options: IdentityOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const identities = identitiesIn(options)
      normalizeIdentities(identities)
      await context.writing(async (store) => {
        const result = await addConnector(store, tenant, name, identities, by)
        out.result({ result, tenant, name }, () =>
          out.line(CONNECTOR_DONE.add(connectorId(tenant, name), result)),
        )
        await noteManaged(context, store, tenant)
      })
    })
  manual(command, {
    examples: [
      'connector add contoso exchange --ip 192.0.2.10 --ip 2001:db8:7::/48',
      "connector add contoso web --auth web@contoso.com --auth '*@contoso.com'",
      'connector add contoso edge --cert mail.contoso.com',
      'connector add contoso edge --cert-sha256 "$(openssl x509 -in cert.pem -noout -fingerprint -sha256 | cut -d= -f2)"',
    ],
    json: ['result: added | unchanged', 'tenant', 'name'],
    exit: {
      ...NO_TENANT,
      4: 'it exists with other identities, or another connector has one of them',
    },
  })
}

function addRemove(connector: Command, io: Io): void {
  const command = connector
    .command('remove')
    .description('remove a connector')
    .argument('<tenant>')
    .argument('<name>')
    .action(async (tenant: string, name: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.writing(async (store) => {
        await removeConnector(store, tenant, name)
        out.result({ result: 'removed', tenant, name }, () =>
          out.line(CONNECTOR_DONE.remove(connectorId(tenant, name))),
        )
        await noteManaged(context, store, tenant)
      })
    })
  manual(command, {
    examples: ['connector remove contoso edge'],
    json: ['result: removed', 'tenant', 'name'],
    exit: { ...NO_TENANT_OR_CONNECTOR, 4: 'it is blocked (unblock it first)' },
  })
}

function addSwitch(connector: Command, io: Io, enabled: boolean): void {
  const word = enabled ? 'enable' : 'disable'
  const done = `${word}d`
  const command = connector
    .command(word)
    .description(
      enabled
        ? 'let a disabled connector relay again'
        : 'refuse what a connector relays with 550 5.7.64; it still recognises its sessions',
    )
    .argument('<tenant>')
    .argument('<name>')
    .action(async (tenant: string, name: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.writing(async (store) => {
        const change = await enableConnector(store, tenant, name, enabled)
        const result = change === 'changed' ? done : change
        out.result({ result, tenant, name }, () =>
          out.line(CONNECTOR_DONE[word](connectorId(tenant, name), change)),
        )
        await noteManaged(context, store, tenant)
      })
    })
  manual(command, {
    examples: [`connector ${word} contoso edge`],
    json: [`result: ${done} | unchanged`, 'tenant', 'name'],
    exit: NO_TENANT_OR_CONNECTOR,
  })
}

function addList(connector: Command, io: Io): void {
  const command = connector
    .command('list')
    .description('list the connectors of a tenant, or of all')
    .argument('[tenant]')
    .addOption(allRows())
    .action(async (tenant: string | undefined, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store) => {
        const connectors = await new ConnectorRegistry(store).list(tenant)
        out.result(connectors.map(connectorView), () => {
          out.table(
            ['CONNECTOR', 'ENABLED', 'IDENTITIES', 'ADDED', 'BY'],
            connectors.map((each) => [
              `${each.tenant}/${each.name}`,
              stateCell(each),
              identitiesOf(each),
              shortTime(each.addedAt),
              each.addedBy,
            ]),
            'no connectors; add one with: tenantctl connector add TENANT NAME --ip CIDR',
          )
        })
      })
    })
  manual(command, {
    examples: ['connector list', 'connector list contoso --json'],
    json: ['an array of:', ...VIEW_FIELDS],
    exit: NO_TENANT,
  })
}

function addShow(connector: Command, io: Io): void {
  const command = connector
    .command('show')
    .description('show one connector')
    .argument('<tenant>')
    .argument('<name>')
    .action(async (tenant: string, name: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      assertTenantId(tenant)
      assertConnectorName(name)
      await context.connected(async (store) => {
        const found = await new ConnectorRegistry(store).get(tenant, name)
        if (!found) throw noSuchConnector(tenant, name)
        const { blocked } = found
        out.result(connectorView(found), () => {
          out.facts([
            ['connector', connectorId(tenant, name)],
            ['enabled', found.enabled ? 'yes' : { text: 'no', tone: 'bad' }],
            ['blocked', blocked ? { text: blockInWords(blocked), tone: 'bad' } : 'no'],
            ['identities', identitiesOf(found)],
            ['added', `${shortTime(found.addedAt)} by ${found.addedBy}`],
          ])
        })
      })
    })
  manual(command, {
    examples: ['connector show contoso edge', 'connector show contoso edge --json'],
    json: VIEW_FIELDS,
    exit: NO_TENANT_OR_CONNECTOR,
  })
}
