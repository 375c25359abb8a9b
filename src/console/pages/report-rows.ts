import { grouped } from '../../base/lists'
import { count } from '../../base/count'
import { isoDay, isoTime } from '../../base/time'
import { shownAs } from '../../cases/for-tenant'
import type { Field } from '../../cli/views/csv'
import type { SourceClass } from '../../mail/classes'
import { connectorName } from '../../mail/identities'
import type { ReportLine, TenantReport } from '../../reporting/report'
import { OTHER } from '../../reporting/rows'
import { sizeOf } from '../../reporting/shares'
import { attempts } from '../../reporting/sum'
import { html, NOTHING } from '../kit/html'
import { day, outside, time, type Cell } from '../kit/parts'

/** The most values of one cell: on a page, and in a file. */
const MOST_SHOWN = 2
const MOST_VALUES = 20

/** A row of the report: mail of one class, day, connector and domain. */
export interface ReportRow {
  /** ms */
  readonly day: number
  /** Its name within the tenant; empty: none. */
  readonly connector: string
  readonly domain: string
  readonly class: SourceClass
  /** Without deferred ones, which are tried again. */
  readonly messages: number
  readonly recipients: number
  /** Message-IDs, the newest first. */
  readonly samples: readonly string[]
  readonly addresses: readonly string[]
  readonly users: readonly string[]
  /** ms */
  readonly first: number
  readonly last: number
  /** About how many domains a row of {@link OTHER} stands for; 0: it is one. */
  readonly distinct: number
}

/** The lines of a report in the order of their rows: few of many are shown. */
export function ordered({ lines }: TenantReport, order: 'newest' | 'most'): ReportLine[] {
  // Tens of thousands of lines are compared a dozen times each.
  const sized = lines.map((line) => ({
    ...{ line, day: order === 'newest' ? line.key.day! : 0 },
    ...{ isOther: Number(line.key.domain === OTHER), size: attempts(line.counts) },
  }))
  sized.sort((a, b) => b.day - a.day || a.isOther - b.isOther || b.size - a.size)
  return sized.map(({ line }) => line)
}

export function rowOf({
  key,
  class: of,
  counts,
  ips,
  users,
  samples,
  distinctDomains,
}: ReportLine): ReportRow {
  return {
    ...{ day: key.day!, connector: connectorName(key.connector!), domain: key.domain!, class: of },
    ...sizeOf(counts),
    samples: samples.map(({ messageId }) => messageId).filter((id) => id !== ''),
    ...{ addresses: ips, users, first: counts.firstSeen, last: counts.lastSeen },
    distinct: distinctDomains ?? 0,
  }
}

/** The rows as their tenant may see them: that another tenant owns a domain is left out. */
export function rowsForTenant(rows: readonly ReportRow[]): ReportRow[] {
  const shown = rows.map((row) => ({ ...row, class: shownAs(row.class) }))
  const same = grouped(shown, (row) => [row.day, row.class, row.connector, row.domain].join('\t'))
  return same.map(([, some]) => some.reduce(added))
}

function added(a: ReportRow, b: ReportRow): ReportRow {
  const both = (key: 'samples' | 'addresses' | 'users'): string[] => [
    ...new Set([...a[key], ...b[key]]),
  ]
  return {
    ...a,
    ...{ messages: a.messages + b.messages, recipients: a.recipients + b.recipients },
    ...{ samples: both('samples'), addresses: both('addresses'), users: both('users') },
    ...{ first: Math.min(a.first || b.first, b.first || a.first), last: Math.max(a.last, b.last) },
  }
}

/** What is not in the rows, in words. */
export function leftOut({ otherDomains }: TenantReport, note: string | undefined): string[] {
  const domains = `${OTHER}: about ${count(otherDomains, 'domain')} without a row of their own`
  return [...(note === undefined ? [] : [note]), ...(otherDomains === 0 ? [] : [domains])]
}

interface ReportColumn {
  readonly title: string
  readonly isNumber?: boolean
  /** In a file. */
  readonly name: string
  readonly cell: (row: ReportRow) => Cell
  readonly field: (row: ReportRow) => Field
}

/** The first five are those of Exchange Online's report, in its order. */
export const COLUMNS: readonly ReportColumn[] = [
  { title: 'Date', name: 'date', field: (row) => isoDay(row.day), cell: (row) => day(row.day) },
  { title: 'Inbound connector', name: 'inbound_connector', ...texts((row) => row.connector) },
  {
    ...{ title: 'Sender domain', name: 'sender_domain', field: ({ domain }) => domain },
    cell: ({ domain, distinct }) =>
      distinct === 0 ? outside(domain || '-') : `${domain}: about ${count(distinct, 'domain')}`,
  },
  { title: 'Count', isNumber: true, name: 'count', ...numbers((row) => row.messages) },
  { title: 'Sample messages', name: 'sample_messages', ...lists((row) => row.samples) },
  { title: 'Class', name: 'class', ...texts((row) => row.class) },
  { title: 'Recipients', isNumber: true, name: 'recipients', ...numbers((row) => row.recipients) },
  { title: 'Address', name: 'address', ...lists((row) => row.addresses) },
  { title: 'User', name: 'user', ...lists((row) => row.users) },
  { title: 'First', name: 'first', ...times((row) => row.first) },
  { title: 'Last', name: 'last', ...times((row) => row.last) },
]

type Values = Pick<ReportColumn, 'cell' | 'field'>

function texts(of: (row: ReportRow) => string): Values {
  return { cell: (row) => of(row) || '-', field: of }
}

function numbers(of: (row: ReportRow) => number): Values {
  return { cell: of, field: of }
}

function times(of: (row: ReportRow) => number): Values {
  return {
    cell: (row) => (of(row) === 0 ? '-' : time(of(row))),
    field: (row) => (of(row) === 0 ? null : isoTime(of(row))),
  }
}

/** What senders of mail chose. */
function lists(of: (row: ReportRow) => readonly string[]): Values {
  return {
    cell: (row) => {
      const more = of(row).length - MOST_SHOWN
      const first = of(row).slice(0, MOST_SHOWN)
      if (first.length === 0) return '-'
      return html`${first.map((each) => html`${outside(each)} `)}${more > 0 ? `+${more}` : NOTHING}`
    },
    field: (row) => of(row).slice(0, MOST_VALUES),
  }
}
