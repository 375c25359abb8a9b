import type { Command } from 'commander'
import type { AuditEntry } from '../../records/audit-entry'
import { AUDIT_DAYS, readTenantAudit, readWholeAudit } from '../../audit/reader'
import { DAY } from '../../reporting/calendar'
import { InputError } from '../../base/errors'
import { assertTenantId } from '../../mail/identities'
import { isoTime, shortTime } from '../../base/time'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { whoOf } from '../views/audit'
import { serverTime } from '../../store/server-clock'

interface AuditOptions {
  readonly days: string
}

/** `tenantctl audit` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('audit')
    .description('who changed what: tenants, domains, connectors, restrictions, cases')
    .argument('[tenant]', 'also one that has been removed')
    .option('--days <number>', `how far back, at most ${AUDIT_DAYS}`, '30')
    .addOption(allRows())
    .action(async (tenant: string | undefined, options: AuditOptions, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      if (tenant !== undefined) assertTenantId(tenant)
      const days = acceptedDays(options.days)
      await context.connected(async (store) => {
        const since = (await serverTime(store.client)) - days * DAY
        const entries =
          tenant === undefined
            ? await readWholeAudit(store, since)
            : await readTenantAudit(store, tenant, since)
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
            `no changes in the last ${days} days`,
          )
        })
      })
    })
  manual(command, {
    examples: ['audit contoso', 'audit contoso --days 365', 'audit --days 1 --json'],
    json: [
      'an array, the oldest first, of:',
      'at, what (such as "domains added"), from, to: in words, empty where there is nothing',
      'subject: a tenant, a case (tenant:number), a connector (tenant/name); empty: the registry as a whole',
      'os: user of the system, redis: user of Redis',
      'note: what --by said, file:ID for a tenants file, automatic for a trip; or empty',
    ],
  })
}

/** @throws {InputError} */
function acceptedDays(text: string): number {
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= AUDIT_DAYS) return days
  throw new InputError(`--days "${text}" is not a whole number from 1 to ${AUDIT_DAYS}`)
}

function viewOf({ at, ...entry }: AuditEntry): object {
  return { at: isoTime(at), ...entry }
}
