import { NotFoundError } from '../../base/errors'
import { Cases } from '../../cases/cases'
import { whoOf } from '../../cli/views/audit'
import { readGoingOn, readIncident, type Incident } from '../../operations/incident'
import { assertKnown, existingTenant } from '../../operations/tenants'
import { tenantOf } from '../../records/audit-entry'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Shown, Visit } from '../kit/page'
import { heading, table, time } from '../kit/parts'
import { lookAtQueue } from '../kit/queue-look'
import { sharedBy } from '../kit/shared'
import { incidentForms } from './incident-forms'
import { incidentLive } from './incident-live'
import { onCase } from './on-case'
import { findingsFor, ownOf } from './whole-reports'

/** What an alert links to: what goes on, and what to do about it. */
export const INCIDENT: Page = {
  path: '/incidents/:subject',
  least: 'viewer',
  async show(visit) {
    const subject = visit.params['subject'] ?? ''
    const tenant = tenantOf(subject)
    try {
      await existingTenant(visit.store, tenant)
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error
      await assertKnown(visit.store, tenant)
      return removed(visit, tenant)
    }
    return visit.isPoll ? poll(visit, subject) : whole(visit, subject)
  },
}

const READING = { isBounded: true }

const goingOn = sharedBy(({ store, config }, subject) =>
  readGoingOn(store, config, subject, READING),
)

async function poll(visit: Visit, subject: string): Promise<Shown> {
  const goesOn = await goingOn(visit, subject)
  const look = await lookAtQueue(visit, goesOn.tenant.id)
  return { title: subject, live: incidentLive(visit, goesOn, look), rest: NOTHING }
}

async function whole(visit: Visit, subject: string): Promise<Shown> {
  const { store, config } = visit
  const looking = lookAtQueue(visit, tenantOf(subject))
  const incident = await readIncident(store, config, subject, {
    ...READING,
    ownOf: (tenant) => ownOf(visit, tenant),
    queueOf: async () => (await looking)?.queue ?? { problem: 'hosts have not answered yet' },
  })
  const { case: record, now } = incident
  const findings = record && (await findingsFor(visit, record))
  const from = { returnTo: visit.to(['incidents', subject]), seen: now }
  return {
    title: `Incident of ${incident.tenant.id}`,
    live: incidentLive(visit, incident, await looking),
    rest: html`${record ? onCase(visit, record, from) : NOTHING}
    ${incidentForms({ visit, incident, findings, from })} ${changesBefore(visit, incident)}`,
  }
}

function changesBefore(visit: Visit, { changes, tenant }: Incident): Html {
  return html`${heading(visit, 'changedBefore')}
    ${table(
      'Changes, the newest first',
      ['When', 'Subject', 'What', 'By'],
      changes.map((each) => [
        time(each.at),
        each.subject,
        [each.what, each.to].filter(Boolean).join(': '),
        whoOf(each),
      ]),
      'Nothing of the tenant was changed in the week before.',
    )}
    <p><a href="${visit.to(['tenants', tenant.id, 'audit'])}">All changes</a></p>`
}

/** For a tenant that has been removed: what is kept of it. */
async function removed(visit: Visit, tenant: string): Promise<Shown> {
  const last = await new Cases(visit.store).lastOf(tenant)
  const title = `${tenant} has been removed`
  return {
    ...{ title, status: 404 },
    rest: html`<h1>${title}</h1>
      <p>Nothing of it is relayed any more, so there is nothing to stop. What is kept:</p>
      <ul>
        ${
          last === 0
            ? NOTHING
            : html`<li>
                <a href="${visit.to(['cases', `${tenant}:${last}`])}">Its latest case</a>
              </li>`
        }
        <li><a href="${visit.to(['audit'], { tenant })}">What was changed</a></li>
      </ul>`,
  }
}
