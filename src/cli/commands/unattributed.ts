import type { Command } from 'commander'
import { InputError } from '../../base/errors'
import { OTHER } from '../../reporting/rows'
import { readUnattributedMail, type Unattributed } from '../../reporting/unattributed'
import { serverTime } from '../../store/server-clock'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import {
  COUNTS_COLUMNS,
  COUNTS_FIELDS,
  CountsColumns,
  countsRecord,
  countsView,
  LEGEND,
  moment,
} from '../views/counts'
import { csv } from '../views/csv'
import { addCommand, shortCertificate } from '../views/unattributed'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { count } from '../../base/count'
import { outside, toCopy, type Output } from '../kit/output'
import { isoTime } from '../../base/time'
import { spanOf, type ReportSpan } from '../../operations/report-span'

interface Options {
  readonly days?: string
  readonly csv?: boolean
}

/** `tenantctl unattributed` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('unattributed')
    .description('who relays without a tenant, and which connector to add: the start of a rollout')
    .option('--days <n>', 'the last days (UTC), today among them (default: 7)')
    .option('--csv', 'print CSV')
    .addOption(allRows())
    .action(async (options: Options, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      if (out.json && options.csv) throw new InputError('--csv or --json: one of them')
      await context.connected(async (store, config) => {
        const span = spanOf(options, await serverTime(store.client), config.report.days)
        const mail = await readUnattributedMail(store, span.from, span.to)
        if (options.csv) io.stdout.write(csvOf(mail))
        else out.result(jsonOf(mail, span), () => print(out, mail))
      })
    })
  manual(command, {
    examples: ['unattributed', 'unattributed --days 30 --csv > sources.csv'],
    json: [
      'from, to: the span, to excluded',
      'other_sources: about how many sources (other) sums up',
      'rows: each {ip (IPv6: a /64), user, certificate (a verified name, else the SHA-256), and}',
      ...COUNTS_FIELDS,
      'next: the command that makes it a connector, or null',
    ],
  })
}

function jsonOf({ rows, others }: Unattributed, { from, to }: ReportSpan): object {
  return {
    from: isoTime(from),
    to: isoTime(to),
    other_sources: others,
    rows: rows.map((row) => ({
      ip: row.ip,
      user: row.user,
      certificate: row.certificate,
      ...countsView(row.counts),
      next: addCommand(row) ?? null,
    })),
  }
}

function csvOf({ rows }: Unattributed): string {
  return csv(
    ['ip', 'user', 'certificate', ...COUNTS_COLUMNS],
    rows.map((row) => [row.ip, row.user, row.certificate, ...countsRecord(row.counts)]),
  )
}

function print(out: Output, { rows, others }: Unattributed): void {
  const counts = new CountsColumns(rows.map((row) => row.counts))
  out.table(
    ['IP', 'AUTH USER', 'CERTIFICATE', ...counts.head, 'FIRST', 'LAST', 'NEXT'],
    rows.map((row) => [
      row.ip === OTHER && others > 0 ? `${OTHER}: about ${count(others, 'source')}` : row.ip,
      outside(row.user),
      outside(shortCertificate(row)),
      ...counts.cells(row.counts),
      moment(row.counts.firstSeen, true),
      moment(row.counts.lastSeen, true),
      toCopy(addCommand(row) ?? ''),
    ]),
    'no mail was relayed without a tenant',
  )
  if (rows.length > 0) out.line(LEGEND, 'faint')
  if (others === 0 && rows.some(({ ip }) => ip === OTHER)) {
    out.line(`${OTHER}: with [report] samples=false no sources are recorded`, 'faint')
  }
}
