import { setTimeout as sleep } from 'node:timers/promises'
import { tenantctl } from '../../base/command-line'
import { isAnything, kindsOf, notesOf, type FoundKind, type FoundRow } from '../../cli/views/find'
import { find, SHORTEST } from '../../operations/find'
import { NameIndex } from '../../registry/name-index'
import { HOURS_KEPT } from '../../reporting/bounds'
import type { Store } from '../../store/store'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { heading, outside, sameCommand, state, table } from '../kit/parts'

/** How long a search waits until names are read, in ms: of a large registry that takes some seconds. */
const PATIENCE = 100

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
  ${kindsOf(found).map((kind) => tableOf(visit, kind))}
  ${notesOf(found).map((note) => html`<p>${note}</p>`)} ${sameCommand(tenantctl('find', query))}`
}

function stillReading({ tenants }: NameIndex): Html {
  return html`<p class="notice warn">
    The names of all tenants, domains and connectors are still being read
    (${tenants.size.toLocaleString('en-US')} tenants so far): what bears exactly this name is shown,
    and some of the rest. Load the page again in a few seconds.
  </p>`
}

function tableOf(visit: Visit, { key, title, rows }: FoundKind): Html {
  if (rows.length === 0) return NOTHING
  const cells = rows.map((row) => [
    outside(row.name),
    row.tenant || 'none',
    row.isBad ? state(row.details, 'bad') : row.details,
    linksOf(visit, key, title, row),
  ])
  return table(title, ['Name', 'Tenant', 'Details', 'See'], cells, '')
}

function linksOf(
  visit: Visit,
  key: string,
  title: string,
  { name, tenant, isBad }: FoundRow,
): Html {
  const own = (words: string, tab: string, query?: Readonly<Record<string, string>>): Html =>
    link(visit, words, ['tenants', tenant, tab], query)
  // The days of which mail is found.
  const days = String(HOURS_KEPT + 1)
  switch (key) {
    case 'tenants': {
      const incident = isBad ? link(visit, 'Incident', ['incidents', tenant]) : NOTHING
      return html`${link(visit, 'Tenant', ['tenants', tenant])} ${incident}`
    }
    case 'cases':
      return link(visit, 'Case', ['cases', name])
    case 'sender_domains':
      return html`${own('Report', 'report', { days, domain: name })}
      ${own('Register …', 'register', { domain: name })}`
    case 'addresses':
      return tenant === ''
        ? link(visit, 'Mail without a tenant', ['unattributed'])
        : own('Report', 'report', { days, ip: name })
    case 'message_ids':
      return own('Report', 'report', { days })
    default:
      return own(title, key)
  }
}

function link(
  visit: Visit,
  words: string,
  segments: readonly string[],
  query?: Readonly<Record<string, string>>,
): Html {
  return html`<a href="${visit.to(segments, query)}">${words}</a>`
}
