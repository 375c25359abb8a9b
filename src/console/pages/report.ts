import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { RefusedError } from '../../base/errors'
import { mapLimited } from '../../base/limiter'
import { isoDay, isoMinute } from '../../base/time'
import { percent } from '../../cli/views/counts'
import { csv } from '../../cli/views/csv'
import { headerFromText } from '../../cli/views/header-from'
import { CLASSES, LOOKED_CLASSES, lookedKey } from '../../mail/classes'
import { assertTenantId } from '../../mail/identities'
import { noteExport, readReports } from '../../operations/report'
import { atLeast } from '../../records/role'
import { ConnectorRegistry } from '../../registry/connector-registry'
import { DAY } from '../../reporting/calendar'
import { sourcedIn, type ReportLine, type TenantReport } from '../../reporting/report'
import { OTHER } from '../../reporting/rows'
import { sizeOf } from '../../reporting/shares'
import { asking, form } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import type { Download, Page, Visit } from '../kit/page'
import { heading, sameCommand, table } from '../kit/parts'
import { reportCharts } from './report-charts'
import { reportQuery, type ReportQuery } from './report-query'
import { COLUMNS, leftOut, ordered, rowOf, rowsForTenant, type ReportRow } from './report-rows'
import { tenantHeader } from './tenant-header'

/** Rows of a page. A file has all. */
const MOST_ROWS = 500
/** Connectors that a page offers to block. */
const MOST_BLOCKED = 20
const AT_ONCE = 10

interface Asked {
  readonly tenant: string
  readonly query: ReportQuery
  readonly report: TenantReport
  /** In the order of the rows. */
  readonly lines: readonly ReportLine[]
  /** ms, server time */
  readonly from: number
  readonly to: number
  readonly now: number
  /** What is not in the rows. */
  readonly notes: readonly string[]
}

/** @throws {InputError} */
async function ask({ store, config, params }: Visit, query: URLSearchParams): Promise<Asked> {
  const tenant = params['tenant']!
  assertTenantId(tenant)
  const asked = reportQuery(tenant, query)
  const { tenants, note, ...times } = await readReports(store, asked.request, config.report.days)
  const report = tenants[0]!
  const { from, to, now } = times
  const lines = ordered(report, asked.order)
  return { ...{ tenant, query: asked, report, lines, from, to, now }, notes: leftOut(report, note) }
}

/** Mail of a tenant from domains that are not its own. */
export const REPORT: Page = {
  path: '/tenants/:tenant/report',
  least: 'viewer',
  async show(visit) {
    const { live, tabs } = await tenantHeader(visit, 'report')
    const title = `Report of ${visit.params['tenant']}`
    if (visit.isPoll) return { title, live, rest: NOTHING }
    const asked = await ask(visit, visit.query)
    const { tenant, query, lines, notes } = asked
    const shown = lines.slice(0, MOST_ROWS).map(rowOf)
    const more = lines.length - shown.length
    const cut = more > 0 ? [`${count(more, 'more row')}, which a filter or the file shows`] : []
    const here = ['tenants', tenant, 'report']
    return {
      ...{ title, live },
      rest: html`${tabs} ${heading(visit, 'report')} ${asking(visit, here, query.fields)}
      ${summaryOf(asked)} ${await reportCharts(visit, query, lines, asked)}
      ${rowsTable(asked, shown, visit)} ${leftOutLines([...cut, ...notes])}
      ${sheets(visit, query, here)} ${await blocks(visit, tenant, shown)}
      ${sameCommand(query.command)}`,
    }
  },
}

/** The rows of the page as a file, all of them. */
export const REPORT_CSV: Download = {
  path: '/tenants/:tenant/report.csv',
  least: 'operator',
  async make(visit, sent) {
    const { tenant, lines, query, notes } = await ask(visit, sent)
    if (!visit.writing) {
      throw new RefusedError(
        'A file of a report is noted in the audit trail, and nothing can be written now.',
      )
    }
    await noteExport(visit.writing, tenant, { what: query.command, rows: lines.length })
    const end = notes.length === 0 ? 'nothing is left out' : `left out: ${notes.join('; ')}`
    return {
      name: `${tenant}-report.csv`,
      type: 'text/csv; charset=utf-8',
      body: csv(
        COLUMNS.map(({ name }) => name),
        [...lines.map(rowOf).map((row) => COLUMNS.map(({ field }) => field(row))), [end]],
      ),
    }
  },
}

/** What the tenant itself may see of its report, for paper: no other tenants, no operators and no reasons. */
export const REPORT_PRINT: Page = {
  path: '/tenants/:tenant/report/print',
  least: 'operator',
  isForPaper: true,
  async show(visit) {
    const query = new URLSearchParams(visit.query)
    // A class can say that a domain is another tenant's.
    query.delete('class')
    const asked = await ask(visit, query)
    const rows = rowsForTenant(asked.lines.map(rowOf))
    const shown = rows.slice(0, MOST_ROWS)
    const more = rows.length - shown.length
    const cut = more > 0 ? [count(more, 'more row')] : []
    return {
      title: `Mail of ${asked.tenant} from domains that are not registered`,
      rest: html`${summaryOf(asked)} ${rowsTable(asked, shown)}
      ${leftOutLines([...cut, ...asked.notes])}`,
    }
  },
}

function summaryOf({ report, lines, from, to }: Asked): Html {
  const { accepted, deferred, messages } = sourcedIn(report.totals)
  const isDaily = from % DAY === 0 && to % DAY === 0
  const when = isDaily
    ? `${isoDay(from)} to ${isoDay(to - 1)} (UTC)`
    : `${isoMinute(from)} until ${isoMinute(to)}`
  const sizes = lines.map(({ counts }) => sizeOf(counts))
  const sum = (of: 'messages' | 'recipients'): number =>
    sizes.reduce((all, each) => all + each[of], 0)
  const share = report.share === undefined ? '' : `, ${percent(report.share)} of all that it sent`
  const later = messages.deferred + deferred > 0 ? amount(messages.deferred, deferred) : undefined
  const looked = LOOKED_CLASSES.flatMap((each) => {
    const found = report[lookedKey(each)]
    return found?.mismatched ? [headerFromText(found, each)] : []
  })
  return html`<p>
      ${when}: ${amount(sum('messages'), sum('recipients'))}. Accepted:
      ${amount(messages.accepted, accepted)}${share}.
      ${later === undefined ? NOTHING : `Deferred, and in none of these numbers: ${later}.`}
    </p>
    ${looked.map((line) => html`<p class="state warn">${line}</p>`)}`
}

function amount(messages: number, recipients: number): string {
  return `${count(messages, 'message')}, ${count(recipients, 'recipient')}`
}

/** @param visit absent: nothing can be done from the rows. */
function rowsTable({ tenant, now }: Asked, rows: readonly ReportRow[], visit?: Visit): Html {
  const mayAct = visit?.writing !== undefined
  return table(
    'Mail from domains that are not registered',
    COLUMNS,
    rows.map((row) =>
      COLUMNS.map(({ name, cell }) =>
        mayAct ? html`${cell(row)} ${linkOf(visit, tenant, name, row)}` : cell(row),
      ),
    ),
    `No such mail. All mail of ${tenant} came from its accepted domains, or none came, as of ${isoMinute(now)}.`,
  )
}

/** What can be done about what is in a column. */
function linkOf(
  visit: Visit,
  tenant: string,
  column: string,
  { connector, domain, class: of }: ReportRow,
): Html {
  if (column === 'inbound_connector' && isNamed(connector)) {
    return html`<a class="do" href="#block-${connector}">Block this connector</a>`
  }
  if (column === 'sender_domain' && isNamed(domain) && CLASSES[of].suggested) {
    const link = visit.to(['tenants', tenant, 'register'], { domain })
    return html`<a class="do" href="${link}">Register this domain</a>`
  }
  return NOTHING
}

function isNamed(text: string): boolean {
  return text !== '' && text !== OTHER
}

function leftOutLines(notes: readonly string[]): Html {
  return html`${notes.map((each) => html`<p class="left-out">Left out: ${each}.</p>`)}`
}

/** The same as a file, and for paper. */
function sheets(visit: Visit, { query }: ReportQuery, here: readonly string[]): Html {
  if (!atLeast(visit.person.role, 'operator')) return NOTHING
  const fields = Object.entries(query).map(([name, value]) => ({
    ...{ kind: 'hidden' as const, name, value },
  }))
  return html`${form(visit, {
      to: [...here.slice(0, -1), 'report.csv'],
      ...{ button: 'Download these rows (CSV)', fields },
    })}
    <p><a href="${visit.to([...here, 'print'], query)}">Print for the tenant</a></p>`
}

/** A form for each connector of the rows that relays. */
async function blocks(visit: Visit, tenant: string, rows: readonly ReportRow[]): Promise<Html> {
  if (!visit.writing) return NOTHING
  const names = [...new Set(rows.map(({ connector }) => connector).filter(isNamed))]
  if (names.length === 0) return NOTHING
  const registry = new ConnectorRegistry(visit.store)
  const some = names.slice(0, MOST_BLOCKED)
  const connectors = await mapLimited(some, AT_ONCE, (name) => registry.get(tenant, name))
  const forms = some.map((name, at) => {
    const found = connectors[at]
    const why = !found ? 'it was removed' : found.blocked ? 'it is blocked' : undefined
    const inside =
      why === undefined
        ? form(visit, {
            ...{
              to: ['connectors', tenant, name, 'block'],
              button: `Block ${name}`,
              isDanger: true,
            },
            fields: [{ kind: 'text', name: 'reason', label: 'Reason', required: true }],
            command: tenantctl('connector', 'block', tenant, name, '--reason', '…'),
          })
        : html`<p>${why}</p>`
    return html`<section id="block-${name}" aria-label="Block ${name}">
      <h3>${name}</h3>
      ${inside}
    </section>`
  })
  const more = names.length - some.length
  return html`${heading(visit, 'blockHere')} ${forms}
  ${leftOutLines(more > 0 ? [count(more, 'more connector')] : [])}`
}
