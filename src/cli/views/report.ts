import type { Report } from '../../operations/report'
import { DAY } from '../../reporting/calendar'
import {
  sourcedIn,
  type Dimensions,
  type ReportLine,
  type TenantReport,
} from '../../reporting/report'
import type { Counts } from '../../reporting/counts'
import {
  CLASSES,
  KNOWN_CLASSES,
  LOOKED_CLASSES,
  lookedKey,
  USUAL_CLASS,
  type KnownClass,
} from '../../mail/classes'
import { OTHER } from '../../reporting/rows'
import { messages, recipients } from '../../reporting/sum'
import { isoDay, isoMinute, isoTime } from '../../base/time'
import {
  countsByClass,
  COUNTS_COLUMNS,
  CountsColumns,
  countsRecord,
  countsView,
  LEGEND,
  moment,
  pair,
  percent,
  some,
} from './counts'
import { csv, type Field } from './csv'
import { headerFromsView, headerFromText } from './header-from'
import { count } from '../../base/count'
import { brief, type Cell, type Output } from '../kit/output'

/** The most values of one row that JSON and CSV list. */
const MOST_VALUES = 20

export function reportJson({ from, to, by, tenants }: Report): object {
  return {
    from: isoTime(from),
    to: isoTime(to),
    by,
    tenants: tenants.map(({ tenant, totals, share, otherDomains, ...looked }) => ({
      tenant,
      ...countsByClass(totals, KNOWN_CLASSES),
      share: share ?? null,
      other_domains: otherDomains,
      ...headerFromsView(looked),
    })),
    rows: tenants.flatMap(({ tenant, lines }) => lines.map((line) => rowView(tenant, line))),
  }
}

export function reportCsv({ by, tenants }: Report): string {
  const names = ['tenant', ...withoutClass(by), 'class', ...COUNTS_COLUMNS]
  const more = ['share_percent', 'ips', 'domains', 'distinct_domains', 'samples', 'owners']
  return csv(
    [...names, ...more],
    tenants.flatMap(({ tenant, lines }) =>
      lines.map((line): Field[] => [
        tenant,
        ...withoutClass(by).map((each) => keyText(line, each)),
        line.class,
        ...countsRecord(line.counts),
        line.share === undefined ? null : Number((line.share * 100).toFixed(2)),
        line.ips.slice(0, MOST_VALUES),
        line.domains.slice(0, MOST_VALUES),
        line.distinctDomains ?? null,
        messageIds(line).slice(0, MOST_VALUES),
        line.owners.slice(0, MOST_VALUES),
      ]),
    ),
  )
}

export function printReport(out: Output, report: Report): void {
  const { by, tenants, single } = report
  const lines = tenants.flatMap(({ tenant, lines: own }) => own.map((line) => ({ tenant, line })))
  if (lines.length === 0) {
    out.line(`no ${report.class ?? USUAL_CLASS} mail recorded ${spanText(report)}`)
    for (const each of tenants) printHeaderFroms(out, single, each)
    return
  }
  const counts = new CountsColumns(lines.map(({ line }) => line.counts))
  const optional = optionalColumns(report)
  // Where it is the only class, its name is left out.
  const classes = by.includes('class') || lines.some(({ line }) => line.class !== USUAL_CLASS)
  out.table(
    [
      ...(single ? [] : ['TENANT']),
      ...withoutClass(by).map((each) => HEADS[each]),
      ...(classes ? ['CLASS'] : []),
      ...counts.head,
      'OF ALL',
      ...optional.map(({ head }) => head),
    ],
    lines.map(({ tenant, line }) => [
      ...(single ? [] : [tenant]),
      ...withoutClass(by).map((each) => keyCell(line, each)),
      ...(classes ? [classCell(line)] : []),
      ...counts.cells(line.counts),
      { text: percent(line.share), right: true },
      ...optional.map(({ cell }) => cell(line)),
    ]),
    '',
  )
  out.line()
  for (const each of tenants) {
    out.line(summary(each, report))
    printHeaderFroms(out, single, each)
  }
  out.line(LEGEND, 'faint')
}

const HEADS = {
  day: 'DATE',
  hour: 'HOUR',
  domain: 'SENDER DOMAIN',
  connector: 'CONNECTOR',
  ip: 'IP',
  user: 'AUTH USER',
} as const

interface Column {
  readonly head: string
  readonly cell: (line: ReportLine) => Cell
}

/** Only the dimensions of this kind of report. */
function optionalColumns({ by, tenants }: Report): Column[] {
  const lines = tenants.flatMap((tenant) => tenant.lines)
  const withDay = !by.includes('day')
  const columns: [boolean, Column][] = [
    ...OTHER_CLASSES.map((each): [boolean, Column] => [
      lines.some(({ all }) => all && (!isApart(each) || isSome(all[each]))),
      {
        head: CLASSES[each].words.head,
        cell: ({ all }) => number(all && pair(all[each], 'accepted')),
      },
    ]),
    [
      !by.includes('hour'),
      { head: 'FIRST', cell: ({ counts }) => moment(counts.firstSeen, withDay) },
    ],
    [
      !by.includes('hour'),
      { head: 'LAST', cell: ({ counts }) => moment(counts.lastSeen, withDay) },
    ],
    [
      lines.some(({ domains }) => domains.length > 0),
      { head: 'SENDER DOMAINS', cell: ({ domains }) => some(domains, 2) },
    ],
    [
      lines.some(({ owners }) => owners.length > 0),
      { head: 'BELONGS TO', cell: ({ owners }) => some(owners, 2) },
    ],
    [lines.some(({ ips }) => ips.length > 0), { head: 'IPS', cell: ({ ips }) => some(ips, 2) }],
    [
      lines.some((line) => messageIds(line).length > 0),
      { head: 'SAMPLES', cell: (line) => some(messageIds(line), 1) },
    ],
  ]
  return columns.flatMap(([there, column]) => (there ? [column] : []))
}

/** All classes but the one that a report by day or hour counts. */
const OTHER_CLASSES = KNOWN_CLASSES.filter((each) => each !== USUAL_CLASS)

/** Whether the report breaks a class down by source; such a class is named only where there is any of it. */
function isApart(of: KnownClass): boolean {
  return CLASSES[of].rowLetter !== undefined
}

function number(text = ''): Cell {
  return { text, right: true }
}

function summary({ tenant, totals, share, otherDomains }: TenantReport, report: Report): string {
  const others = OTHER_CLASSES.filter((each) => isApart(each) && isSome(totals[each]))
  const passing = KNOWN_CLASSES.filter((each) => CLASSES[each].passes)
  const apart = others.map((each) => `${each} ${pair(totals[each], 'accepted')}`).join(', ')
  return [
    `${tenant} ${spanText(report)}: ${pair(sourcedIn(totals), 'accepted')} accepted`,
    ...(share === undefined ? [] : [`, ${percent(share)} of all accepted recipients`]),
    ...(apart === '' ? [] : [`, among them ${apart}`]),
    ...passing.map((each) => `; ${each} ${pair(totals[each], 'accepted')}`),
    ...(otherDomains === 0 ? [] : [`; ${OTHER} is about ${count(otherDomains, 'domain')}`]),
  ].join('')
}

function printHeaderFroms(out: Output, single: boolean, { tenant, ...looked }: TenantReport): void {
  const lines = LOOKED_CLASSES.flatMap((each) => {
    const found = looked[lookedKey(each)]
    return found?.mismatched ? [headerFromText(found, each)] : []
  })
  for (const text of lines) out.line(single ? text : `${tenant}: ${text}`, 'warn')
}

/** Whether there was any such mail, accepted or not. */
function isSome(counts: Counts): boolean {
  return messages(counts) + recipients(counts) > 0
}

function withoutClass(by: Dimensions): Exclude<Dimensions[number], 'class'>[] {
  return by.flatMap((each) => (each === 'class' ? [] : [each]))
}

function classCell({ class: of }: ReportLine): Cell {
  return CLASSES[of].owner === 'shown' ? { text: of, tone: 'warn' } : of
}

function spanText({ from, to }: Report): string {
  if (from % DAY === 0 && to % DAY === 0) return `from ${isoDay(from)} to ${isoDay(to - 1)}`
  return `from ${isoMinute(from)} until ${isoMinute(to)}`
}

function keyCell(line: ReportLine, dimension: Exclude<Dimensions[number], 'class'>): Cell {
  const text = keyText(line, dimension)
  if (dimension === 'domain' && line.distinctDomains) {
    return `${text}: about ${count(line.distinctDomains, 'domain')}`
  }
  return text === '' ? '-' : brief(text)
}

function keyText({ key }: ReportLine, dimension: Dimensions[number]): string {
  if (dimension === 'day') return isoDay(key.day!)
  if (dimension === 'hour') return isoMinute(key.hour!)
  return key[dimension]!
}

function messageIds({ samples }: ReportLine): string[] {
  return samples.map(({ messageId }) => messageId).filter((id) => id !== '')
}

function rowView(tenant: string, line: ReportLine): object {
  const keys = Object.keys(line.key) as Dimensions[number][]
  return {
    tenant,
    ...(line.all ? {} : { class: line.class }),
    ...Object.fromEntries(keys.map((each) => [each, keyText(line, each)])),
    ...countsView(line.counts),
    share: line.share ?? null,
    ...(line.all && countsByClass(line.all, OTHER_CLASSES)),
    ips: line.ips.slice(0, MOST_VALUES),
    domains: line.domains.slice(0, MOST_VALUES),
    owners: line.owners.slice(0, MOST_VALUES),
    distinct_domains: line.distinctDomains ?? null,
    samples: line.samples
      .slice(0, MOST_VALUES)
      .map(({ messageId, helo }) => ({ message_id: messageId, helo })),
  }
}
