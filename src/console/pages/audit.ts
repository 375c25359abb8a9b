import { AUDIT_DAYS, readNewestAudit } from '../../audit/reader'
import { tenantctl } from '../../base/command-line'
import { whoOf } from '../../cli/views/audit'
import { someTenants } from '../../operations/some-tenants'
import { assertKnown } from '../../operations/tenants'
import { tenantOf, type AuditEntry } from '../../records/audit-entry'
import { DAY } from '../../reporting/calendar'
import { serverTime } from '../../store/server-clock'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { heading, outside, sameCommand, table, time } from '../kit/parts'
import { shared } from '../kit/shared'
import { tenantHeader } from './tenant-header'

/** Entries that a page shows. */
const MOST = 200
/** Tenants whose trails are read, where there are more. */
const MOST_TENANTS = 200
/** Entries that are read of each of them. */
const OF_EACH = 20

/** What was changed of all tenants, newest first, as far as the trails of {@link MOST_TENANTS} tenants have it. */
export const changesNow = shared(async ({ store }) => {
  const [now, some] = await Promise.all([
    serverTime(store.client),
    someTenants(store, MOST_TENANTS),
  ])
  const span = { since: now - AUDIT_DAYS * DAY, most: MOST, ofEach: OF_EACH }
  return { now, ...(await readNewestAudit(store, some.ids, span)), some }
})

export type ChangesNow = Awaited<ReturnType<typeof changesNow>>

export const AUDIT: Page = {
  path: '/audit',
  least: 'viewer',
  async show(visit) {
    const tenant = visit.query.get('tenant') ?? ''
    const all = tenant === '' ? await changesNow(visit) : undefined
    const { entries, more } = all ?? (await changesOf(visit, tenant))
    return {
      title: tenant ? `Audit of ${tenant}` : 'Audit',
      live: html`${heading(visit, 'audit', 1)}
      ${
        tenant
          ? html`<p>
              Only about ${tenant}, its connectors, and the registry as a whole.
              <a href="${visit.to(['audit'])}">All</a>
            </p>`
          : NOTHING
      }
      ${auditTable(visit, entries)} ${all ? trailsLeftOut(all) : NOTHING}
      ${more ? html`<p class="hint">${newestText(entries.length, all)} There are more.</p>` : NOTHING}`,
      rest: sameCommand(tenantctl('audit', ...(tenant ? [tenant] : []))),
    }
  },
}

/** The same as a tab of a tenant. */
export const TENANT_AUDIT: Page = {
  path: '/tenants/:tenant/audit',
  least: 'viewer',
  async show(visit) {
    const { tenant, live, tabs } = await tenantHeader(visit, 'audit')
    const title = `Audit of ${tenant.name}`
    if (visit.isPoll) return { title, live, rest: NOTHING }
    const { entries, more } = await changesOf(visit, tenant.id)
    return {
      ...{ title, live },
      rest: html`${tabs} ${heading(visit, 'audit')} ${auditTable(visit, entries)}
      ${more ? html`<p class="hint">${newestText(entries.length, undefined)} There are more.</p>` : NOTHING}
      ${sameCommand(tenantctl('audit', tenant.id))}`,
    }
  },
}

function newestText(shown: number, all: object | undefined): string {
  return `The newest ${shown} changes${all ? `, of each tenant at most ${OF_EACH}` : ''}.`
}

async function changesOf({ store }: Visit, tenant: string) {
  await assertKnown(store, tenant)
  const now = await serverTime(store.client)
  const span = { since: now - AUDIT_DAYS * DAY, most: MOST, only: tenant }
  return readNewestAudit(store, [tenant], span)
}

/** Who changed what, in the given order. */
export function auditTable(visit: Visit, entries: readonly AuditEntry[]): Html {
  return table(
    'Changes, the newest first',
    ['When', 'Subject', 'What', 'From', 'To', 'By'],
    entries.map((entry) => {
      const { at, subject, what, from, to } = entry
      const tenant = subject.startsWith('host ') ? '' : tenantOf(subject)
      const link = visit.to(['audit'], { tenant })
      const of = tenant ? html`<a href="${link}">${subject}</a>` : subject || 'registry'
      return [time(at), of, what, outside(from), outside(to), whoOf(entry)]
    }),
    'Nothing was changed. Who changes tenants, domains, connectors, restrictions and cases is kept here for a year.',
  )
}

/** That the trails of only some tenants were read. */
export function trailsLeftOut({ some: { ids, of } }: Pick<ChangesNow, 'some'>): Html {
  if (ids.length === of) return NOTHING
  return html`<p class="hint">
    Of ${of.toLocaleString('en-US')} tenants, the trails of ${ids.length} were read: with the latest
    restrictions, on probation, and with the latest mail that is not registered.
    <code>${tenantctl('audit')}</code> reads all.
  </p>`
}
