import { tenantctl } from '../../base/command-line'
import { readNewest } from '../../events/newest'
import { EVENT_KINDS, type Alert, type Severity } from '../../records/event'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { heading, outside, sameCommand, state, table, time, type Tone } from '../kit/parts'
import { shared } from '../kit/shared'

/** Events that the page chooses from. */
const MOST = 200

const TONES: Readonly<Record<Severity, Tone>> = {
  ...{ High: 'bad', Medium: 'warn', Low: 'good', Informational: 'good' },
}

/** The newest events of all tenants. */
export const eventsNow = shared(({ store }) => readNewest(store, MOST))

export const EVENTS: Page = {
  path: '/events',
  least: 'viewer',
  async show(visit) {
    const [kind, tenant] = [visit.query.get('kind') ?? '', visit.query.get('tenant') ?? '']
    const { entries, more } = await eventsNow(visit)
    const alerts = entries
      .map(({ alert }) => alert)
      .filter((each) => (!kind || each.kind === kind) && (!tenant || each.tenant === tenant))
    return {
      title: 'Events',
      live: html`${heading(visit, 'events', 1)} ${choice(visit, kind, tenant)}
      ${table(
        'Events, the newest first',
        ['When', 'Severity', 'Kind', 'Tenant', 'What', { title: 'Count', isNumber: true }],
        alerts.map((alert) => [
          time(Date.parse(alert.at)),
          state(alert.severity, TONES[alert.severity]),
          alert.kind,
          tenantLink(visit, alert.tenant, kind),
          titleOf(visit, alert),
          alert.count,
        ]),
        kind || tenant
          ? 'None of these events is of that kind and tenant.'
          : 'There are no events. Restrictions, lifts, allowances in use and unusual mail are listed here for 30 days.',
      )}
      ${
        more
          ? html`<p class="hint">
              Chosen from the newest ${entries.length} events; the command reads all of the last 30
              days.
            </p>`
          : NOTHING
      }`,
      rest: sameCommand(tenantctl('events', ...(tenant ? ['--tenant', tenant] : []))),
    }
  },
}

/** Links to each kind, and to all. */
function choice(visit: Visit, kind: string, tenant: string): Html {
  const link = (to: string, text: string): Html => {
    const query = { ...(to && { kind: to }), ...(tenant && { tenant }) }
    const current = to === kind ? html` aria-current="true"` : NOTHING
    return html`<li><a href="${visit.to(['events'], query)}" ${current}>${text}</a></li>`
  }
  return html`<nav class="tabs" aria-label="Kinds of events">
      <ul>
        ${link('', 'all kinds')} ${EVENT_KINDS.map((each) => link(each, each.replaceAll('_', ' ')))}
      </ul>
    </nav>
    ${
      tenant
        ? html`<p>Only of ${tenant}. <a href="${visit.to(['events'])}">Of all tenants</a></p>`
        : NOTHING
    }`
}

function tenantLink(visit: Visit, tenant: string, kind: string): Html {
  if (tenant === '') return NOTHING
  const link = visit.to(['events'], { ...(kind && { kind }), tenant })
  return html`<a href="${link}">${tenant}</a>`
}

/** What happened, with a link to the incident, and that it was not delivered. */
function titleOf(visit: Visit, { title, tenant, facts, snoozed }: Alert): Html {
  const incident = typeof facts['case'] === 'string' ? facts['case'] : tenant
  const text = outside(title)
  const told = snoozed
    ? html` ${state('snoozed', 'warn')} by ${snoozed.by} until ${time(snoozed.until)}`
    : NOTHING
  if (incident === '') return html`${text}${told}`
  return html`<a href="${visit.to(['incidents', incident])}">${text}</a>${told}`
}
