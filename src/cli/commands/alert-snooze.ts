import type { Command } from 'commander'
import { LONGEST_SNOOZE, Snoozes, type Snooze } from '../../alerts/snoozes'
import { InputError } from '../../base/errors'
import { isoTime, shortTime } from '../../base/time'
import { parseDuration } from '../../mail/limits'
import { snooze, unsnooze } from '../../operations/snooze'
import { SNOOZABLE, type Snoozable } from '../../records/snooze'
import { acceptedReason } from '../kit/actor'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { NO_TENANT } from '../kit/statuses'

const KINDS = SNOOZABLE.join(', ')
const FIELDS = ['tenant, kind: allowance | unusual', 'until, by, reason']

interface SnoozeOptions {
  readonly kind?: string
  readonly for?: string
  readonly reason?: string
  readonly list?: boolean
}

/** `tenantctl alert snooze` */
export function addSnooze(alert: Command, io: Io): void {
  const command = alert
    .command('snooze')
    .description('deliver no alerts of one kind about a tenant for a time; events shows them')
    .argument('[tenant]')
    .option('--kind <kind>', `${KINDS}; a restriction is always told`)
    .option('--for <time>', 'how long, such as 14d; 90d at most')
    .option('--reason <text>', 'one line')
    .option('--list', 'what is snoozed now')
    .action(async (tenant: string | undefined, options: SnoozeOptions, self: Command) => {
      const context = contextOf(io, self)
      if (options.list) {
        await list(context, tenant, options)
        return
      }
      const { kind, for: time, reason } = options
      if (tenant === undefined || kind === undefined || time === undefined || !reason) {
        throw new InputError(
          'give a tenant, --kind, --for and --reason; --list shows what is snoozed',
        )
      }
      const { by, out } = context
      const given = { tenant, kind: acceptedKind(kind), by, reason: acceptedReason(reason) }
      const span = acceptedSpan(time)
      await context.writing(async (store) => {
        const snoozed = await snooze(store, given, span)
        out.result({ result: 'snoozed', ...viewOf(snoozed) }, () =>
          out.line(
            `snoozed: no ${given.kind} alert about ${tenant} is delivered until ${shortTime(snoozed.until)}`,
          ),
        )
      })
    })
  manual(command, {
    examples: [
      'alert snooze contoso --kind allowance --for 14d --reason "newsletter until 12 May"',
      'alert snooze --list',
      'alert snooze --list --json',
    ],
    json: ['result: snoozed', ...FIELDS, 'with --list: an array of the same, without result'],
    exit: NO_TENANT,
  })
}

/** `tenantctl alert unsnooze` */
export function addUnsnooze(alert: Command, io: Io): void {
  const command = alert
    .command('unsnooze')
    .description('deliver alerts about a tenant again; those that were snoozed stay undelivered')
    .argument('<tenant>')
    .option('--kind <kind>', `${KINDS}; without it both`)
    .action(async (tenant: string, { kind }: { kind?: string }, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      const kinds = kind === undefined ? undefined : [acceptedKind(kind)]
      await context.writing(async (store) => {
        const ended = await unsnooze(store, tenant, kinds)
        const result = ended.length > 0 ? 'unsnoozed' : 'unchanged'
        out.result({ result, tenant, ended: ended.map(viewOf) }, () => {
          if (ended.length === 0) out.line(`nothing of ${tenant} is snoozed`)
          for (const each of ended) {
            out.line(`${each.kind} alerts about ${tenant} are delivered again`)
          }
        })
      })
    })
  manual(command, {
    examples: ['alert unsnooze contoso', 'alert unsnooze contoso --kind unusual'],
    json: [
      'result: unsnoozed | unchanged; tenant',
      'ended: an array of {tenant, kind, until, by, reason}: what was snoozed',
    ],
    exit: NO_TENANT,
  })
}

async function list(
  context: Context,
  tenant: string | undefined,
  { kind, for: time, reason }: SnoozeOptions,
): Promise<void> {
  if (kind ?? time ?? reason) throw new InputError('--list goes with a tenant at most')
  const { out } = context
  await context.connected(async (store) => {
    const all = await new Snoozes(store).list()
    const asked = all.filter((each) => tenant === undefined || each.tenant === tenant)
    out.result(asked.map(viewOf), () =>
      out.table(
        ['TENANT', 'KIND', 'UNTIL', 'BY', 'REASON'],
        asked.map((each) => [
          ...[each.tenant, each.kind, shortTime(each.until), each.by, each.reason],
        ]),
        'nothing is snoozed',
      ),
    )
  })
}

function viewOf({ tenant, kind, until, by, reason }: Snooze): object {
  return { tenant, kind, until: isoTime(until), by, reason }
}

/** @throws {InputError} */
function acceptedKind(text: string): Snoozable {
  const kind = SNOOZABLE.find((each) => each === text)
  if (kind) return kind
  throw new InputError(
    `--kind "${text}" cannot be snoozed: give ${SNOOZABLE.join(' or ')}; a restriction is always told`,
  )
}

/** @throws {InputError} */
function acceptedSpan(text: string): number {
  const span = parseDuration('--for', text)
  if (span <= LONGEST_SNOOZE) return span
  throw new InputError(`--for "${text}" is too long: give 90d at most`)
}
