import { setTimeout as sleep } from 'node:timers/promises'
import { tenantctl } from '../../base/command-line'
import { isoDay } from '../../base/time'
import { identitiesOf } from '../../cli/views/connector'
import { isAnything, notesOf } from '../../cli/views/find'
import { connectorId } from '../../mail/identities'
import { find, SHORTEST, type FoundAll } from '../../operations/find'
import { NameIndex } from '../../registry/name-index'
import { HOURS_KEPT } from '../../reporting/bounds'
import type { Found, Seen } from '../../reporting/mail-index'
import type { Store } from '../../store/store'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { heading, outside, sameCommand, state, table, time, type Cell } from '../kit/parts'

/** How long a search waits until names are read, in ms: of a large registry that takes some seconds. */
const PATIENCE = 300

/** Kept from one search to the next. */
const indexes = new WeakMap<Store, NameIndex>()

/** The page of the box that every page has. What was looked for is in no log. */
export const SEARCH: Page = {
  path: '/search',
  least: 'viewer',
  async show(visit) {
    const title = 'Search'
    // What was found stays as it is.
    if (visit.isPoll) return { title, rest: NOTHING }
    const query = (visit.query.get('q') ?? '').trim()
    return {
      title,
      rest: html`${heading(visit, 'search', 1)}
      ${[...query].length < SHORTEST ? tooShort() : await foundFor(visit, query)}`,
    }
  },
}

function tooShort(): Html {
  return html`<p class="empty">
    Give at least ${SHORTEST} characters of a tenant, an accepted domain, a connector, a case, a
    sender domain, an address or a Message-ID.
  </p>`
}

async function foundFor(visit: Visit, query: string): Promise<Html> {
  const { store } = visit
  const index = indexes.get(store) ?? new NameIndex(store)
  indexes.set(store, index)
  // Where Redis does not answer, the search says so.
  const reading = index.renew().catch(() => {})
  if (!index.isComplete) await Promise.race([reading, sleep(PATIENCE, undefined, { ref: false })])
  const { isComplete } = index
  const found = await find(store, query, index)
  return html`${isComplete ? NOTHING : stillReading(index)}
  ${isAnything(found) ? NOTHING : html`<p class="empty">Nothing is found for ${outside(query)}.</p>`}
  ${tablesOf(visit, found)} ${notesOf(found).map((note) => html`<p>${note}</p>`)}
  ${sameCommand(tenantctl('find', query))}`
}

function stillReading({ tenants }: NameIndex): Html {
  return html`<p class="notice warn">
    The names of all tenants, domains and connectors are still being read
    (${tenants.size.toLocaleString('en-US')} tenants so far): what bears exactly this name is shown,
    and some of the rest. Load the page again in a few seconds.
  </p>`
}

function tablesOf(visit: Visit, { tenants, domains, connectors, cases, mail }: FoundAll): Html[] {
  const tenantLink = (id: string, ...tab: string[]): Html =>
    html`<a href="${visit.to(['tenants', id, ...tab])}">${id}</a>`
  const kind = <T>(
    caption: string,
    columns: readonly string[],
    { items }: Found<T>,
    row: (item: T) => Cell[],
  ): Html => (items.length === 0 ? NOTHING : table(caption, columns, items.map(row), ''))
  const seen = (caption: string, found: Found<Seen>, links: (seen: Seen) => Html): Html =>
    kind(caption, [caption, 'Tenant', 'Last day (UTC)', 'More'], found, (each) => [
      outside(each.value),
      each.tenant === '' ? 'none' : tenantLink(each.tenant),
      isoDay(each.day),
      links(each),
    ])
  return [
    kind('Tenants', ['Tenant', 'Name', 'State'], tenants, ({ id, name, restricted }) => [
      tenantLink(id),
      name,
      restricted
        ? html`${state('restricted', 'bad')} <a href="${visit.to(['incidents', id])}">Incident</a>`
        : state('not restricted', 'good'),
    ]),
    kind('Accepted domains', ['Domain', 'Tenant', 'Covers'], domains, (each) => [
      each.domain,
      tenantLink(each.tenant, 'domains'),
      `${each.subdomains ? 'it and all names below it' : 'it alone'}${each.shared ? ', shared' : ''}`,
    ]),
    kind('Connectors', ['Connector', 'Recognised by', 'State'], connectors, (each) => [
      html`<a href="${visit.to(['tenants', each.tenant, 'connectors'])}"
        >${connectorId(each.tenant, each.name)}</a
      >`,
      identitiesOf(each),
      each.blocked
        ? state('blocked', 'bad')
        : each.enabled
          ? state('enabled', 'good')
          : state('disabled', 'warn'),
    ]),
    kind('Cases', ['Case', 'Opened', 'State'], cases, ({ name, opened, closed }) => [
      html`<a href="${visit.to(['cases', name])}">${name}</a>`,
      time(opened),
      closed ? state('closed', 'good') : state('open', 'warn'),
    ]),
    seen('Sender domains', mail.domains, ({ value, tenant }) => {
      const register = visit.to(['tenants', tenant, 'register'], { domain: value })
      return html`${reportLink(visit, tenant, { domain: value })} ·
        <a href="${register}">Register …</a>`
    }),
    seen('Addresses', mail.addresses, ({ value, tenant }) =>
      tenant === ''
        ? html`<a href="${visit.to(['unattributed'])}">Mail without a tenant</a>`
        : reportLink(visit, tenant, { ip: value }),
    ),
    seen('Message-IDs', mail.messageIds, ({ tenant }) => reportLink(visit, tenant, {})),
  ]
}

/** @param only what the report is filtered by. */
function reportLink(visit: Visit, tenant: string, only: Readonly<Record<string, string>>): Html {
  const link = visit.to(['tenants', tenant, 'report'], { days: String(HOURS_KEPT + 1), ...only })
  return html`<a href="${link}">Report</a>`
}
