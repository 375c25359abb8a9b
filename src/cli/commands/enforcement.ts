import { Option, type Command } from 'commander'
import { count } from '../../base/count'
import { InputError } from '../../base/errors'
import { isoTime, shortTime } from '../../base/time'
import { pauseInEffect, readPause } from '../../enforcement/pause'
import { pauseLine, stillRefused } from '../../enforcement/words'
import { tenantsAtLimit, type AtLimit } from '../../operations/at-limit'
import { acceptedSpan, pause, resume, USUAL_PAUSE } from '../../operations/enforcement'
import { acceptedReason } from '../kit/actor'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { groupManual, manual } from '../kit/manual'
import { COMMAND_TIMEOUT } from '../kit/store'
import {
  assertConfirmed,
  CONFIRMED_FIELDS,
  confirmationView,
  NOT_CONFIRMED,
  printConfirmation,
  WAIT,
} from '../views/confirmation'
import { atLimitText } from '../views/at-limit'
import { pauseView } from '../views/pause'

/** `tenantctl enforcement pause | resume | status` */
export function add(program: Command, io: Io): void {
  const enforcement = program
    .command('enforcement')
    .description('pause all refusals on all hosts at once, and resume them')
  groupManual(enforcement, [
    'enforcement pause --reason "limits had been set too low" --for 1h',
    'enforcement resume --reason "limits are corrected"',
    'enforcement status',
  ])
  addPause(enforcement, io)
  addResume(enforcement, io)
  addStatus(enforcement, io)
}

interface PauseOptions {
  readonly reason: string
  readonly for: string
  readonly everything?: boolean
  readonly wait?: boolean
}

function addPause(enforcement: Command, io: Io): void {
  const command = enforcement
    .command('pause')
    .description(
      'stop all refusals on all hosts for some time, the 451 too: mail passes, and is counted; what a person has restricted or blocked is still refused',
    )
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .option('--for <time>', 'when it ends by itself, at most 7d', USUAL_PAUSE)
    .option(
      '--everything',
      'let also pass what a person has restricted or blocked, and deliver held mail',
    )
    .option(...WAIT)
    .action(async (options: PauseOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const reason = acceptedReason(options.reason)
      acceptedSpan(options.for)
      const everything = options.everything === true
      await context.writing(async (store) => {
        const order = { by, reason, span: options.for, everything }
        const { change, confirmation } = await pause(store, order)
        const until = isoTime(change.until)
        const view = { result: 'paused', since: isoTime(change.first / 1000), until, everything }
        out.result({ ...view, confirmed: confirmationView(confirmation) }, () => {
          out.line(
            `paused enforcement until ${shortTime(change.until)}: ${stillRefused({ everything })}`,
          )
          printConfirmation(out, confirmation, 'pause')
        })
        if (options.wait) assertConfirmed(confirmation)
      })
    })
  manual(command, {
    examples: [
      'enforcement pause --reason "limits had been set too low"',
      'enforcement pause --reason "migration of contoso" --for 30m',
      'enforcement pause --reason "blocked by mistake" --everything',
    ],
    json: [
      'result: paused',
      'since, until: a pause that is paused again goes on',
      'everything: true or false',
      ...CONFIRMED_FIELDS,
    ],
    exit: NOT_CONFIRMED,
  })
}

interface ResumeOptions {
  readonly reason: string
  readonly freshWindows?: boolean
  readonly keepUsage?: boolean
  readonly wait?: boolean
}

function addResume(enforcement: Command, io: Io): void {
  const command = enforcement
    .command('resume')
    .description('end the pause on all hosts: restrictions and limits refuse again')
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .addOption(
      new Option(
        '--fresh-windows',
        'start the windows of tenants afresh that would be restricted by their next recipient; asked on a terminal',
      ).conflicts('keepUsage'),
    )
    .option('--keep-usage', 'keep the windows of these tenants (default in scripts)')
    .option(...WAIT)
    .action(async (options: ResumeOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const reason = acceptedReason(options.reason)
      // Which tenants those are depends on the limits.
      if (options.freshWindows) context.needed('main', 'allowance')
      await context.writing(async (store) => {
        const atLimit = await tenantsAtLimit(store, context.config(), COMMAND_TIMEOUT)
        if (!out.json)
          out.line(atLimitText(atLimit), atLimit.tenants.length > 0 ? 'warn' : undefined)
        const afresh = (await wantsFresh(context, options, atLimit)) ? atLimit.tenants : []
        const resumed = await resume(store, { by, reason, afresh })
        const { ended, change, fresh, confirmation } = resumed
        const view = {
          result: ended ? 'resumed' : 'unchanged',
          since: ended ? isoTime(ended.first / 1000) : null,
          at: isoTime(change.at),
          at_limit: atLimit.tenants,
          looked_at: { tenants: atLimit.looked, of: atLimit.of },
          fresh_windows: fresh,
        }
        out.result({ ...view, confirmed: confirmationView(confirmation) }, () => {
          if (fresh.length > 0) out.line(`started the windows of ${tenants(fresh.length)} afresh`)
          out.line(ended ? 'resumed enforcement' : 'enforcement was not paused')
          printConfirmation(out, confirmation, 'resume')
        })
        if (options.wait) assertConfirmed(confirmation)
      })
    })
  manual(command, {
    examples: [
      'enforcement resume --reason "limits are corrected"',
      'enforcement resume --reason "limits are corrected" --fresh-windows',
    ],
    json: [
      'result: resumed | unchanged (it was not paused; all processes are told all the same)',
      'since: when the pause began, or null; at: when it ended',
      'at_limit: ids of the tenants that would be restricted by their next recipient',
      'looked_at: {tenants, of}: among so many of the tenants with unregistered mail in the reports, the latest first',
      'fresh_windows: ids of those whose windows started afresh',
      ...CONFIRMED_FIELDS,
    ],
    exit: NOT_CONFIRMED,
  })
}

function addStatus(enforcement: Command, io: Io): void {
  const command = enforcement
    .command('status')
    .description('whether enforcement is paused, since when, until when, and why')
    .action(async (_options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store, { main }) => {
        const read = await readPause(store)
        if (read.denied) throw new InputError('not allowed: load docs/acl/tenantctl.acl')
        const { change } = read
        const pause = pauseInEffect(read)
        const resumed = change?.state === 'resumed' ? change : undefined
        const view = {
          paused: pauseView(read),
          resumed: resumed
            ? { at: isoTime(resumed.at), by: resumed.by, reason: resumed.reason }
            : null,
          override: main.override ?? null,
        }
        out.result(view, () => {
          if (pause) {
            out.line(pauseLine(read), 'warn')
            out.line(stillRefused(pause))
          } else {
            out.line('enforcement is not paused', 'good')
          }
          if (resumed) {
            const { at, by, reason } = resumed
            out.line(`last resumed ${shortTime(at)} by ${by}: ${reason}`)
          }
          if (main.override) {
            out.line(`on this host [main] override=${main.override} counts, paused or not`, 'warn')
          }
        })
      })
    })
  manual(command, {
    examples: ['enforcement status', 'enforcement status --json'],
    json: [
      'paused: null, or {since, until, by, reason, everything}',
      'resumed: null, or {at, by, reason}: the last change, where a person ended a pause',
      'override: [main] override of the ini file here, which counts on its host; or null',
    ],
  })
}

async function wantsFresh(
  context: Context,
  { freshWindows, keepUsage }: ResumeOptions,
  { tenants: { length } }: AtLimit,
): Promise<boolean> {
  if (length === 0 || keepUsage) return false
  if (freshWindows) return true
  if (!context.io.asks || context.out.json) return false
  return context.confirmed(`Start the windows of ${tenants(length)} afresh? [y/N] `)
}

function tenants(number: number): string {
  return count(number, 'tenant')
}
