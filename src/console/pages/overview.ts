import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { percent } from '../../cli/views/counts'
import { summary } from '../../cli/views/nodes'
import { restrictedIn, usedOf } from '../../cli/views/top'
import { connectorId } from '../../mail/identities'
import { describeTrigger } from '../../mail/trigger'
import type { RefusedNow } from '../../operations/refused-now'
import { DAY } from '../../reporting/calendar'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { heading, outside, table, time, type Cell, type Column } from '../kit/parts'
import { WORDS, type WordName } from '../kit/words'
import { auditTable, changesNow, trailsLeftOut, type ChangesNow } from './audit'
import { eventsNow } from './events'
import {
  alertsNow,
  nearNow,
  probationNow,
  unusualNow,
  type AlertsNow,
  type NearNow,
  type Some,
} from './overview-now'
import { relaySection } from './relay-lately'
import { leftOut, refusedNow } from './restricted'
import { nodesNow } from './stripe'

/** Rows of each list. */
const MOST = 10

/** A part of the page. */
interface Section {
  readonly name: WordName
  /** `undefined`: there is nothing. */
  readonly body: Html | undefined
  /** Says so. */
  readonly quiet: string
}

export const OVERVIEW: Page = {
  path: '/',
  least: 'viewer',
  async show(visit) {
    const [changes, refused, probation, near, unusual, alerts, nodes] = await Promise.all([
      changesNow(visit),
      refusedNow(visit),
      probationNow(visit),
      nearNow(visit),
      unusualSection(visit),
      alertsNow(visit),
      nodesNow(visit),
    ])
    const sections = [
      changesSection(visit, changes),
      restrictedSection(visit, refused),
      probationSection(visit, probation),
      nearSection(visit, near),
      unusual,
      blockedSection(visit, refused),
      alertsSection(alerts),
    ]
    const quiet = sections.filter(({ body }) => !body).map((each) => each.quiet)
    const isQuiet = quiet.length === sections.length
    return {
      title: 'Overview',
      live: html`${heading(visit, 'overview', 1)}
        ${isQuiet ? html`<p class="good">All is quiet: ${quiet.join('; ')}.</p>` : NOTHING}
        ${sections.map(({ name, body }) => (body ? html`${heading(visit, name)} ${body}` : NOTHING))}
        ${!isQuiet && quiet.length > 0 ? html`<p>Besides: ${quiet.join('; ')}.</p>` : NOTHING}
        ${heading(visit, 'processes')}
        <p>${summary(nodes)}. <a href="${visit.to(['nodes'])}">Hosts and processes</a></p>`,
      rest: visit.isPoll ? NOTHING : await relaySection(visit),
    }
  },
}

/** What people changed in the last 24 hours; what an exceeded allowance did is not among it. */
function changesSection(visit: Visit, changes: ChangesNow): Section {
  const { entries, now } = changes
  const lately = entries.filter(({ at, note }) => at >= now - DAY && note !== 'automatic')
  const quiet = `no person changed anything in the last 24 hours`
  if (lately.length === 0) return { name: 'changes', quiet, body: undefined }
  return {
    ...{ name: 'changes', quiet },
    body: html`${auditTable(visit, lately.slice(0, MOST))}
    ${moreLink(visit, lately.length, ['audit'])} ${trailsLeftOut(changes)}`,
  }
}

function restrictedSection(visit: Visit, now: RefusedNow): Section {
  const most = now.tenants.toSorted((a, b) => b.refused - a.refused).slice(0, MOST)
  const columns = ['Tenant', 'Since', 'By', 'Trigger', perMinute('Refused')]
  const rows = most.map(({ restriction, refused }) => {
    const { tenant, since, by, trigger, case: name } = restriction
    const link = visit.to(['incidents', name || tenant])
    const why = trigger ? outside(describeTrigger(trigger)) : restriction.reason
    return [html`<a href="${link}">${tenant}</a>`, time(since), by, why, Math.round(refused)]
  })
  const all = now.tenants.length + now.moreTenants
  const more = moreLink(visit, all, ['restricted'])
  return section('restrictedNow', 'no tenant is restricted', columns, rows, more)
}

function probationSection(visit: Visit, { first, of }: Some<readonly [string, number]>): Section {
  const rows = first
    .slice(0, MOST)
    .map(([tenant, until]) => [tenantLink(visit, tenant), time(until)])
  const more = moreLink(visit, of)
  return section('probation', 'no tenant is on probation', ['Tenant', 'Until'], rows, more)
}

function nearSection(visit: Visit, { first, of, notShown }: NearNow): Section {
  const quiet = 'no tenant with mail in the last 5 minutes is near a limit'
  const rows = first
    .slice(0, MOST)
    .map(({ status, pace, domain }) => [
      tenantLink(visit, status.tenant.id),
      ...[usedOf(status), soonText(restrictedIn(status)), Math.round(pace.unregistered)],
      domain ? html`${outside(domain.value)} ${percent(domain.share)}` : NOTHING,
      pace.connector ?? '',
    ])
  const columns = [
    ...['Tenant', 'Used', 'Restricted in', perMinute('Unregistered')],
    ...['Sender domain with the most of it', 'Connector'],
  ]
  const unread = count(notShown, 'active tenant')
  const more = html`${moreLink(visit, of)}
  ${
    notShown > 0
      ? html`<p class="hint">
          ${unread} with fewer recipients a minute not looked at:
          <code>${tenantctl('status', '--near')}</code> reads all.
        </p>`
      : NOTHING
  }`
  return section('near', quiet, columns, rows, more)
}

function soonText(soon: string): string {
  return soon === 'next' ? 'by the next recipient' : soon || 'not at this pace'
}

async function unusualSection(visit: Visit): Promise<Section> {
  const [{ first, of }, { entries }] = await Promise.all([unusualNow(visit), eventsNow(visit)])
  const rows = first.slice(0, MOST).map(({ tenant, rule, event, since }) => {
    const found = entries.find(({ alert }) => alert.id === event)
    const link = visit.to(['events'], { kind: 'unusual', tenant })
    const what = outside(found?.alert.title ?? rule.replaceAll('_', ' '))
    return [tenantLink(visit, tenant), html`<a href="${link}">${what}</a>`, time(since)]
  })
  const columns = ['Tenant', 'What is unusual', 'Since']
  return section('unusual', 'nothing is unusual', columns, rows, moreLink(visit, of))
}

function blockedSection(visit: Visit, now: RefusedNow): Section {
  const rows = now.connectors.slice(0, MOST).map(({ connector, block, refused }) => {
    const { tenant, name } = connector
    const link = visit.to(['tenants', tenant, 'connectors'])
    return [
      html`<a href="${link}">${connectorId(tenant, name)}</a>`,
      ...[time(block.since), block.by, block.reason, Math.round(refused)],
    ]
  })
  const columns = ['Connector', 'Since', 'By', 'Reason', perMinute('Refused')]
  const more = html`${moreLink(visit, now.connectors.length, ['restricted'])} ${leftOut(now)}`
  return section('blocked', 'no connector is blocked', columns, rows, more)
}

function alertsSection({ backlogs, held, snoozed }: AlertsNow): Section {
  const rows: Cell[][] = [
    ...backlogs.map(({ channel, waiting, more, since }) => [
      `alerts for ${channel}`,
      `${more ? 'more than ' : ''}${waiting}`,
      since === undefined ? NOTHING : html`the oldest of ${time(since)}`,
    ]),
    ...(held > 0
      ? [['contacts of many tenants restricted at once', held, tenantctl('alert', 'contacts')]]
      : []),
    ...(snoozed > 0
      ? [['tenants with snoozed alerts', snoozed, tenantctl('alert', 'snooze', '--list')]]
      : []),
  ]
  const columns = ['What', { title: 'How many', isNumber: true }, '']
  return section('alerts', 'no alert waits or is snoozed', columns, rows)
}

function section(
  name: WordName,
  quiet: string,
  columns: readonly (string | Column)[],
  rows: readonly (readonly Cell[])[],
  more: Html = NOTHING,
): Section {
  if (rows.length === 0) return { name, quiet, body: undefined }
  return { name, quiet, body: html`${table(WORDS[name].title, columns, rows, '')} ${more}` }
}

function perMinute(what: string): Column {
  return { title: `${what}/min (recipients)`, isNumber: true }
}

function tenantLink(visit: Visit, tenant: string): Html {
  return html`<a href="${visit.to(['tenants', tenant])}">${tenant}</a>`
}

/** How many a list leaves out. @param page that shows them. */
function moreLink(visit: Visit, of: number, page?: readonly string[]): Html {
  if (of <= MOST) return NOTHING
  const text = `${(of - MOST).toLocaleString('en-US')} more`
  return html`<p class="hint">
    ${page ? html`<a href="${visit.to(page)}">${text}</a>` : `${text}.`}
  </p>`
}
