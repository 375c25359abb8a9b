import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { blockInWords } from '../../explain/words'
import { findConnector } from '../../explain/find-connector'
import { identitiesOf, IDENTITY_OPTIONS } from '../../cli/views/connector'
import { matchFacts, notFoundText } from '../../cli/views/connector-find'
import { connectorId } from '../../mail/identities'
import type { Connector } from '../../mail/tenant'
import { someConnectors } from '../../operations/connectors'
import { ConnectorRegistry } from '../../registry/connector-registry'
import { asking, form, type Field } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import { knownConnectors } from '../kit/known-connectors'
import type { Page, Visit } from '../kit/page'
import { facts, heading, state, table, time, type Cell } from '../kit/parts'
import { told } from '../kit/told'
import { tenantHeader } from './tenant-header'

/** Connectors of all tenants that a page shows. */
const MOST = 200

/** The connectors of a tenant, and what can be done with one of them. */
export const CONNECTORS_OF: Page = {
  path: '/tenants/:tenant/connectors',
  least: 'viewer',
  async show(visit) {
    const { tenant, status, live, tabs } = await tenantHeader(visit, 'connectors')
    const title = `Connectors of ${tenant.name}`
    if (visit.isPoll) return { title, live, rest: NOTHING }
    const connectors = await new ConnectorRegistry(visit.store).list(tenant.id)
    const name = visit.query.get('connector')
    const chosen =
      connectors.find((each) => each.name === name) ??
      (connectors.length === 1 ? connectors[0] : undefined)
    const add = form(visit, {
      ...{ to: ['tenants', tenant.id, 'connectors', 'add'], button: 'Add', least: 'admin' },
      fields: [
        { kind: 'text', name: 'name', label: 'Name', required: true, hint: 'such as exchange' },
        ...identityFields(visit.query),
      ],
      command: `${tenantctl('connector', 'add', tenant.id, 'NAME')} --ip CIDR`,
      ...{ seen: status.usage.at, returnTo: visit.to(['tenants', tenant.id, 'connectors']) },
    })
    return {
      ...{ title, live },
      rest: html`${tabs} ${heading(visit, 'connectors')}
      ${connectorsTable(visit, connectors, `${tenant.name} has no connectors: its servers are not recognised.`)}
      ${chosen ? changeForms(visit, chosen, status.usage.at) : NOTHING}
      ${visit.writing && visit.person.role === 'admin' ? heading(visit, 'addConnector') : NOTHING}
      ${add}`,
    }
  },
}

/** Connectors of all tenants: those that relay nothing first. */
export const CONNECTORS: Page = {
  path: '/connectors',
  least: 'viewer',
  async show(visit) {
    if (visit.isPoll) return { title: 'Connectors', rest: NOTHING }
    const what = visit.query.get('identity')?.trim() ?? ''
    const { connectors, stopped, all } = await someConnectors(visit.store, MOST)
    const left = all - connectors.length
    return {
      title: 'Connectors',
      rest: html`${heading(visit, 'connectors', 1)}
        ${asking(
          visit,
          ['connectors'],
          [
            {
              ...{ kind: 'text', name: 'identity', label: 'Find by identity', value: what },
              hint: 'an address, a DNS name or fingerprint of a certificate, or an AUTH user',
            },
          ],
          'Find',
        )}
        ${what === '' ? NOTHING : await found(visit, what)}
        <p>
          ${count(all, 'connector')}.
          ${stopped > 0 ? `${count(stopped, 'relays', 'relay')} nothing now: these come first.` : ''}
          ${left > 0 ? `${left.toLocaleString('en-US')} more are not shown: find one by what it is recognised by.` : ''}
        </p>
        ${connectorsTable(visit, connectors, 'No tenant has a connector: no server is recognised yet.')}`,
    }
  },
}

async function found(visit: Visit, what: string): Promise<Html> {
  const { config } = visit
  const result = await findConnector(what, { directory: await knownConnectors(visit), config })
  if (result.matches.length === 0) return html`<p class="empty">${notFoundText(what, result)}</p>`
  return html`${result.matches.map((match) =>
    facts([
      ...matchFacts(match).map(([name, cell]) => [name, told(cell)] as const),
      [
        '',
        html`<a href="${visit.to(['tenants', match.tenant, 'connectors'])}"
          >Connectors of ${match.tenant}</a
        >`,
      ],
    ]),
  )}`
}

function connectorsTable(visit: Visit, connectors: readonly Connector[], empty: string): Html {
  return table(
    'Connectors',
    ['Connector', 'Recognised by', 'State', 'Added', 'By'],
    connectors.map((each): Cell[] => {
      const link = visit.to(['tenants', each.tenant, 'connectors'], { connector: each.name })
      return [
        html`<a href="${link}#connector">${connectorId(each.tenant, each.name)}</a>`,
        ...[identitiesOf(each), stateOf(each), time(each.addedAt), each.addedBy],
      ]
    }),
    empty,
  )
}

function stateOf({ enabled, blocked }: Connector): Html {
  if (blocked) return html`${state('blocked', 'bad')} ${blockInWords(blocked)}`
  return enabled ? state('relays', 'good') : state('disabled', 'warn')
}

/** What can be done with one connector. */
function changeForms(visit: Visit, connector: Connector, seen: number): Html {
  const { tenant, name, blocked, enabled } = connector
  const returnTo = visit.to(['tenants', tenant, 'connectors'], { connector: name })
  const common = { seen, returnTo }
  const at = ['connectors', tenant, name]
  const [word, button] = blocked ? (['unblock', 'Unblock'] as const) : (['block', 'Block'] as const)
  const turn = enabled ? 'disable' : 'enable'
  return html`<h2 id="connector">${connectorId(tenant, name)}</h2>
    ${form(visit, {
      ...{ to: [...at, word], button: `${button} ${name}`, isDanger: !blocked, ...common },
      fields: [
        { kind: 'text', name: 'reason', label: 'Reason', required: true, hint: 'kept and shown' },
      ],
      command: tenantctl('connector', word, tenant, name, '--reason', 'TEXT'),
    })}
    ${form(visit, {
      ...{ to: [...at, turn], button: enabled ? 'Disable' : 'Enable', least: 'admin', ...common },
      command: tenantctl('connector', turn, tenant, name),
    })}
    ${form(visit, {
      ...{ to: [...at, 'identities'], button: 'Change identities', least: 'admin', ...common },
      fields: [...identityFields(), ...removable(connector)],
      command: `${tenantctl('connector', 'set', tenant, name)} --add-ip CIDR --remove-ip CIDR`,
    })}
    ${form(visit, {
      ...{
        to: [...at, 'remove'],
        button: `Remove ${name}`,
        least: 'admin',
        isDanger: true,
        ...common,
      },
      command: tenantctl('connector', 'remove', tenant, name),
    })}`
}

/** @param known what is known of a source, by option; absent: identities are added to those that are there. */
function identityFields(known?: URLSearchParams): Field[] {
  return IDENTITY_OPTIONS.map(({ option, words }) => ({
    ...{ kind: 'text', name: option, label: `${known ? '' : 'Add '}${option}: ${words}` },
    value: known?.get(option) ?? '',
  }))
}

/** A box for each identity; `removedIn` of the action reads them. */
function removable(connector: Connector): Field[] {
  return IDENTITY_OPTIONS.flatMap(({ kind, option }) =>
    connector[kind].map((value) => ({
      ...{ kind: 'check' as const, name: `remove-${option}`, value },
      label: `Remove ${option} ${value}`,
    })),
  )
}
