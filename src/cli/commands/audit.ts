import type { Command } from 'commander'
import type { AuditEntry } from '../../records/audit-entry'
import { AUDIT_DAYS, readAudit } from '../../audit/reader'
import { DAY } from '../../reporting/calendar'
import { InputError } from '../../base/errors'
import { assertKnown } from '../../operations/tenants'
import { isoTime, shortTime } from '../../base/time'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { timeIn, type ReportSpan, type SpanOptions } from '../../operations/report-span'
import { NO_TENANT } from '../kit/statuses'
import { whoOf } from '../views/audit'
import { csv } from '../views/csv'
import { serverTime } from '../../store/server-clock'

interface AuditOptions extends SpanOptions {
  readonly who?: string
  readonly what?: string
  readonly csv?: boolean
}

const USUAL_DAYS = 30

/** `tenantctl audit` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('audit')
    .description('who changed what: tenants, domains, connectors, restrictions, cases')
    .argument('[tenant]', 'also one that has been removed')
    .option('--days <number>', `how far back, at most ${AUDIT_DAYS} (default: ${USUAL_DAYS})`)
    .option('--from <time>', 'a day (2026-11-24) or a time (2026-11-24T15:00Z)')
    .option('--to <time>', 'the last day, or the time before which it ends (default: now)')
    .option('--who <text>', 'only by those whose names contain it: users, --by, file:ID')
    .option('--what <text>', 'only where what was changed, or a value, contains it')
    .option('--csv', 'print CSV')
    .addOption(allRows())
    .action(async (tenant: string | undefined, options: AuditOptions, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      if (out.json && options.csv) throw new InputError('--csv or --json: one of them')
      const { who, what } = options
      const spanUntil = spanOf(options)
      await context.connected(async (store) => {
        if (tenant !== undefined) await assertKnown(store, tenant)
        const span = spanUntil(await serverTime(store.client))
        const entries = await readAudit(store, { tenant, ...span, who, what })
        if (options.csv) return void io.stdout.write(csvOf(entries))
        out.result(entries.map(viewOf), () => {
          out.table(
            ['WHEN', 'SUBJECT', 'WHAT', 'FROM', 'TO', 'BY'],
            entries.map((entry) => [
              shortTime(entry.at),
              entry.subject || '-',
              entry.what,
              entry.from,
              entry.to,
              whoOf(entry),
            ]),
            `no such changes from ${shortTime(span.from)} to ${shortTime(span.to)}`,
          )
        })
      })
    })
  manual(command, {
    examples: [
      'audit contoso',
      'audit --from 2026-11-24T08:00Z --to 2026-11-24T09:00Z --what limits',
      'audit --who bob --days 365 --csv > bob.csv',
      'audit --days 1 --json',
    ],
    json: [
      'an array, the oldest first, of:',
      'at, what (such as "domains added"), from, to: in words, empty where there is nothing',
      'subject: a tenant, a case (tenant:number), a connector (tenant/name), host NAME; empty: the registry as a whole',
      'os: user of the system, redis: user of Redis',
      'note: what --by said, file:ID for a tenants file, automatic for a trip; or empty',
    ],
    exit: NO_TENANT,
  })
}

/**
 * The span that was asked for, once the time is known.
 *
 * @throws {InputError}
 */
function spanOf({ days, from, to }: AuditOptions): (now: number) => ReportSpan {
  if (days !== undefined && from !== undefined) {
    throw new InputError('--days counts back from --to, or from now: give it without --from')
  }
  const end = to === undefined ? undefined : timeIn('--to', to, DAY)
  const start = from === undefined ? undefined : timeIn('--from', from, 0)
  const length = days === undefined ? USUAL_DAYS : acceptedDays(days)
  if (start !== undefined && end !== undefined && start >= end) {
    throw new InputError(`--from ${from} is not before --to ${to}: the span is empty`)
  }
  return (now) => {
    // A change of this moment belongs to the span.
    const until = end ?? now + 1
    return { from: start ?? until - length * DAY, to: until }
  }
}

/** @throws {InputError} */
function acceptedDays(text: string): number {
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= AUDIT_DAYS) return days
  throw new InputError(`--days "${text}" is not a whole number from 1 to ${AUDIT_DAYS}`)
}

function csvOf(entries: readonly AuditEntry[]): string {
  return csv(
    ['at', 'subject', 'what', 'from', 'to', 'os', 'redis', 'note'],
    entries.map(({ at, subject, what, from, to, os, redis, note }) => [
      isoTime(at),
      ...[subject, what, from, to, os, redis, note],
    ]),
  )
}

function viewOf({ at, ...entry }: AuditEntry): object {
  return { at: isoTime(at), ...entry }
}
