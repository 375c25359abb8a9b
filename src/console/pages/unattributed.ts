import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { addCommand, identityOf, shortCertificate } from '../../cli/views/unattributed'
import { spanOf } from '../../operations/report-span'
import { OTHER } from '../../reporting/rows'
import { messages } from '../../reporting/sum'
import { readUnattributedMail, type UnattributedRow } from '../../reporting/unattributed'
import { serverTime } from '../../store/server-clock'
import { asking } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { heading, outside, sameCommand, table, time, type Cell } from '../kit/parts'

const MOST_ROWS = 500
const NUMBERS = ['Messages', 'Recipients accepted', 'deferred', 'refused']

/** Who relays without a tenant, and the connector that would recognise them. */
export const UNATTRIBUTED: Page = {
  path: '/unattributed',
  least: 'viewer',
  async show(visit) {
    const { store, config, query } = visit
    const days = query.get('days') || undefined
    const tenant = query.get('tenant')?.trim() ?? ''
    const now = await serverTime(store.client)
    const { from, to } = spanOf({ ...(days !== undefined && { days }) }, now, config.report.days)
    const { rows, others } = await readUnattributedMail(store, from, to)
    const more = rows.length - MOST_ROWS
    return {
      title: 'Mail without a tenant',
      rest: html`${heading(visit, 'unattributedMail', 1)}
      ${asking(
        visit,
        ['unattributed'],
        [
          { kind: 'text', name: 'days', label: 'Days (UTC), today among them', value: days ?? '7' },
          {
            ...{
              kind: 'text',
              name: 'tenant',
              label: 'Tenant whose servers they are',
              value: tenant,
            },
            hint: 'Then each row has the command and a link for a connector of this tenant',
          },
        ],
      )}
      ${table(
        'Mail without a tenant',
        [
          ...['Address', 'User', 'Certificate'],
          ...NUMBERS.map((title) => ({ title, isNumber: true })),
          ...['First', 'Last', 'Next'],
        ],
        rows.slice(0, MOST_ROWS).map((row) => cellsOf(visit, row, others, tenant)),
        'No mail was relayed without a tenant: each session matched a connector.',
      )}
      ${more > 0 ? html`<p class="left-out">Left out: ${count(more, 'more source')}.</p>` : NOTHING}
      ${sameCommand(tenantctl('unattributed', '--days', days ?? '7'))}`,
    }
  },
}

function cellsOf(visit: Visit, row: UnattributedRow, others: number, tenant: string): Cell[] {
  const { ip, user, counts } = row
  const { accepted, deferred, refused, refunded, firstSeen, lastSeen } = counts
  return [
    ip === OTHER && others > 0 ? `${OTHER}: about ${count(others, 'source')}` : outside(ip),
    ...[outside(user || '-'), outside(shortCertificate(row) || '-')],
    ...[messages(counts), accepted + refunded, deferred, refused, time(firstSeen), time(lastSeen)],
    nextOf(visit, row, tenant),
  ]
}

function nextOf(visit: Visit, row: UnattributedRow, tenant: string): Html {
  const identity = identityOf(row)
  if (!identity) return html`-`
  if (tenant === '') return html`<code>${addCommand(row)}</code>`
  const query = Object.fromEntries([identity])
  return html`<code>${addCommand(row, tenant)}</code>
    <a href="${visit.to(['tenants', tenant, 'connectors'], query)}">Add a connector</a>`
}
