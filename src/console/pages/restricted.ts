import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { openSteps, STEPS } from '../../cases/case'
import { connectorId } from '../../mail/identities'
import { describeTrigger } from '../../mail/trigger'
import {
  readRefusedNow,
  type BlockedNow,
  type RefusedNow,
  type RestrictedNow,
} from '../../operations/refused-now'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { heading, outside, sameCommand, table, time, type Cell } from '../kit/parts'
import { shared } from '../kit/shared'

/** What is restricted and blocked now: the overview shows it too. */
export const refusedNow = shared(({ store }) => readRefusedNow(store))

const COLUMNS = [
  ...['Entity', 'Name', 'Scope', 'Since', 'By', 'Reason', 'Trigger', 'Case', 'Checklist'],
  { title: 'Still refused/min (recipients)', isNumber: true },
  'To lift it',
]

export const RESTRICTED: Page = {
  path: '/restricted',
  least: 'viewer',
  async show(visit) {
    const now = await refusedNow(visit)
    const rows = [
      ...now.tenants.map((each) => tenantRow(visit, each)),
      ...now.connectors.map((each) => connectorRow(visit, each)),
    ]
    return {
      title: 'Restricted tenants and blocked connectors',
      live: html`${heading(visit, 'restricted', 1)}
      ${table(
        'Restricted tenants and blocked connectors',
        COLUMNS,
        rows,
        'No tenant is restricted and no connector is blocked. What an exceeded allowance or a person stops is listed here until a person lifts it.',
      )}
      ${leftOut(now)}`,
      rest: sameCommand(tenantctl('restricted')),
    }
  },
}

/** What a reading does not show. */
export function leftOut({ moreTenants, latestChanges }: RefusedNow): Html {
  const lines = [
    ...(moreTenants > 0
      ? [
          html`${count(moreTenants, 'more tenant')} restricted:
            <code>${tenantctl('restricted')}</code>.`,
        ]
      : []),
    ...(latestChanges === undefined
      ? []
      : [
          html`Of the connectors, those of the latest ${latestChanges.toLocaleString('en-US')}
            changes were looked at: <code>${tenantctl('connector', 'list')}</code> shows all.`,
        ]),
  ]
  return html`${lines.map((line) => html`<p class="hint">${line}</p>`)}`
}

function tenantRow(visit: Visit, { restriction, case: record, refused }: RestrictedNow): Cell[] {
  const { tenant, scope, since, by, reason, trigger, case: name } = restriction
  const done = record && `${STEPS.length - openSteps(record).length} of ${STEPS.length}`
  return [
    'Tenant',
    html`<a href="${visit.to(['tenants', tenant])}">${tenant}</a>`,
    scope === 'all' ? 'all mail' : 'unregistered mail',
    ...[time(since), by, reason],
    trigger ? outside(describeTrigger(trigger)) : 'by hand',
    name ? html`<a href="${visit.to(['cases', name])}">${name}</a>` : NOTHING,
    ...[done ?? '', Math.round(refused)],
    lift(visit, ['incidents', name || tenant], tenant),
  ]
}

function connectorRow(visit: Visit, { connector, block, refused }: BlockedNow): Cell[] {
  const { tenant, name } = connector
  const id = connectorId(tenant, name)
  const page = ['tenants', tenant, 'connectors']
  return [
    'Connector',
    html`<a href="${visit.to(page)}">${id}</a>`,
    'all that it relays',
    ...[time(block.since), block.by, block.reason, 'by hand', '', '', Math.round(refused)],
    lift(visit, page, id),
  ]
}

/** The page on which it is lifted shows first what is to be done before. */
function lift(visit: Visit, page: readonly string[], name: string): Html {
  const text = visit.writing ? 'Unblock' : 'Look'
  return html`<a href="${visit.to(page)}" aria-label="${text} ${name}">${text}</a>`
}
