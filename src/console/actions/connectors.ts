import { tenantctl } from '../../base/command-line'
import { InputError } from '../../base/errors'
import { CONNECTOR_DONE, identitiesOf, IDENTITY_OPTIONS } from '../../cli/views/connector'
import {
  assertConnectorName,
  assertTenantId,
  connectorId,
  normalizeIdentities,
  type RawIdentities,
} from '../../mail/identities'
import { blockConnector, unblockConnector } from '../../operations/connector-block'
import {
  addConnector,
  enableConnector,
  removeConnector,
  setIdentities,
} from '../../operations/connectors'
import { ConnectorRegistry, noSuchConnector } from '../../registry/connector-registry'
import type { Action, Form } from '../kit/action'
import { inForce } from '../kit/in-force'
import { doneTo } from './done'
import { reasonIn } from './texts'

interface Named {
  readonly tenant: string
  readonly name: string
}

interface Stopped extends Named {
  readonly reason: string
}

interface Added extends Named {
  readonly identities: RawIdentities
}

interface Changed extends Named {
  readonly add: RawIdentities
  readonly remove: RawIdentities
}

export const BLOCK_CONNECTOR = stopping('block', blockConnector)
export const UNBLOCK_CONNECTOR = stopping('unblock', unblockConnector)

function stopping(
  word: 'block' | 'unblock',
  operation: typeof blockConnector | typeof unblockConnector,
): Action<Stopped> {
  return {
    path: `/connectors/:tenant/:name/${word}`,
    operation,
    subject: tenantOf,
    read: (form, params) => ({ ...readNamed(params), reason: reasonIn(form) }),
    command: ({ tenant, name, reason }) =>
      tenantctl('connector', word, tenant, name, '--reason', reason),
    run: async (store, by, { tenant, name, reason }) => {
      const { result, confirmation } = await operation(store, tenant, name, { by, reason })
      const line = CONNECTOR_DONE[word](connectorId(tenant, name), result)
      return inForce(line, confirmation, `${word}Connector`)
    },
  }
}

export const ENABLE_CONNECTOR = switching('enable')
export const DISABLE_CONNECTOR = switching('disable')

function switching(word: 'enable' | 'disable'): Action<Named> {
  return {
    path: `/connectors/:tenant/:name/${word}`,
    operation: enableConnector,
    subject: tenantOf,
    read: (_form, params) => readNamed(params),
    command: ({ tenant, name }) => tenantctl('connector', word, tenant, name),
    run: async (store, _by, { tenant, name }) => {
      const result = await enableConnector(store, tenant, name, word === 'enable')
      return doneTo(store, tenant, [CONNECTOR_DONE[word](connectorId(tenant, name), result)])
    },
  }
}

export const ADD_CONNECTOR: Action<Added> = {
  path: '/tenants/:tenant/connectors/add',
  operation: addConnector,
  subject: tenantOf,
  read: (form, { tenant = '' }) => {
    const named = readNamed({ tenant, name: form.text('name') })
    const identities = identitiesIn(form)
    normalizeIdentities(identities)
    return { ...named, identities }
  },
  command: ({ tenant, name, identities }) =>
    tenantctl('connector', 'add', tenant, name, ...optionsOf('--', identities)),
  run: async (store, by, { tenant, name, identities }) => {
    const result = await addConnector(store, tenant, name, identities, by)
    return doneTo(store, tenant, [CONNECTOR_DONE.add(connectorId(tenant, name), result)])
  },
}

export const SET_IDENTITIES: Action<Changed> = {
  path: '/connectors/:tenant/:name/identities',
  operation: setIdentities,
  subject: tenantOf,
  read: (form, params) => {
    const change = { add: identitiesIn(form), remove: removedIn(form) }
    if (Object.values(change).every((each) => Object.values(each).flat().length === 0)) {
      throw new InputError('nothing was given: write an identity to add, or tick one to remove')
    }
    return { ...readNamed(params), ...change }
  },
  command: ({ tenant, name, add, remove }) =>
    tenantctl(
      ...['connector', 'set', tenant, name],
      ...optionsOf('--add-', add),
      ...optionsOf('--remove-', remove),
    ),
  run: async (store, _by, { tenant, name, add, remove }) => {
    const { result, now } = await setIdentities(store, tenant, name, { add, remove })
    const line = CONNECTOR_DONE.set(connectorId(tenant, name), result)
    return doneTo(store, tenant, [`${line}: ${identitiesOf(now)}`])
  },
}

export const REMOVE_CONNECTOR: Action<Named> = {
  path: '/connectors/:tenant/:name/remove',
  operation: removeConnector,
  subject: tenantOf,
  read: (_form, params) => readNamed(params),
  command: ({ tenant, name }) => tenantctl('connector', 'remove', tenant, name),
  question: async ({ tenant, name }, { store }) => {
    const found = await new ConnectorRegistry(store).get(tenant, name)
    if (!found) throw noSuchConnector(tenant, name)
    return {
      title: `Remove connector ${connectorId(tenant, name)}?`,
      lines: [
        `it is recognised by ${identitiesOf(found)}`,
        `sessions that show no identity of another connector are then no longer those of ${tenant}`,
      ],
      yes: 'Remove',
    }
  },
  run: async (store, _by, { tenant, name }) => {
    await removeConnector(store, tenant, name)
    return doneTo(store, tenant, [CONNECTOR_DONE.remove(connectorId(tenant, name))])
  },
}

function tenantOf({ tenant }: Named): string {
  return tenant
}

/** @throws {InputError} */
function readNamed({ tenant = '', name = '' }: Readonly<Record<string, string>>): Named {
  assertTenantId(tenant)
  assertConnectorName(name)
  return { tenant, name }
}

/** One of each kind, in a field of its own. */
function identitiesIn(form: Form): RawIdentities {
  return Object.fromEntries(
    IDENTITY_OPTIONS.map(({ kind, option }) => [
      kind,
      form.text(option) === '' ? [] : [form.text(option)],
    ]),
  )
}

/** Those that were ticked, as `removable` of the page writes them. */
function removedIn(form: Form): RawIdentities {
  return Object.fromEntries(
    IDENTITY_OPTIONS.map(({ kind, option }) => [kind, form.all(`remove-${option}`)]),
  )
}

function optionsOf(dashes: '--' | '--add-' | '--remove-', identities: RawIdentities): string[] {
  return IDENTITY_OPTIONS.flatMap(({ kind, option }) =>
    (identities[kind] ?? []).flatMap((value) => [`${dashes}${option}`, value]),
  )
}
