import type { Command } from 'commander'
import type { ProbationTerms } from '../../allowance/restriction'
import { InputError } from '../../base/errors'
import { isoTime } from '../../base/time'
import { assertTenantId } from '../../mail/identities'
import { formatLimits, parseDuration, parseLimits } from '../../mail/limits'
import { unblock } from '../../operations/unblock'
import { acceptedReason } from '../kit/actor'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { timeIn } from '../../operations/report-span'
import { NO_TENANT } from '../kit/statuses'
import {
  assertConfirmed,
  CONFIRMED_FIELDS,
  confirmationView,
  NOT_CONFIRMED,
  printConfirmation,
  WAIT,
} from '../views/confirmation'
import { caseLine, probationLine, resultLine } from '../views/unblock'
import { unblockSince, type SinceOptions } from './unblock-since'

interface UnblockOptions {
  readonly reason: string
  readonly keepUsage?: boolean
  readonly limits?: string
  readonly for?: string
  readonly force?: boolean
  readonly since?: string
  readonly yes?: boolean
  readonly wait?: boolean
}

/** `tenantctl unblock` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('unblock')
    .description('lift a restriction and start the windows afresh')
    .argument('[tenant]', 'or --since')
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .option('--keep-usage', 'leave the windows as they are: the next message may trip again')
    .option(
      '--limits <list>',
      'lift into probation: this smaller allowance applies besides its own, such as "50/1h"',
    )
    .option('--for <time>', 'how long probation lasts, such as 7d; together with --limits')
    .option(
      '--since <time>',
      'all tenants that have tripped since then, such as 2026-11-26T08:55Z: lists them and asks; closes their cases',
    )
    .option('--yes', 'with --since: do not ask; a script needs it')
    .option(...WAIT)
    .option('--force', 'even where [case] checklist=require and steps are not ticked')
    .action(async (tenant: string | undefined, options: UnblockOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const reason = acceptedReason(options.reason)
      if (tenant === undefined) return unblockSince(context, sinceOptionsOf(options, reason))
      if (options.since !== undefined || options.yes) {
        throw new InputError('give a tenant, or --since with or without --yes')
      }
      assertTenantId(tenant)
      const keepUsage = options.keepUsage === true
      const probation = termsOf(options)
      const force = options.force === true
      // What does not count this time may be wrong in the ini file.
      if (!force) context.needed('case')
      if (probation) context.needed('allowance')
      const { case: rules, allowance } = context.config()
      await context.writing(async (store) => {
        const unblocked = await unblock(
          store,
          tenant,
          { reason, by, keepUsage, probation, force },
          { checklist: rules.checklist, allowance: allowance.limits },
        )
        const { result, case: name, openSteps, probation: now, confirmation } = unblocked
        out.result(
          {
            result,
            tenant,
            case: name ?? null,
            open_steps: openSteps,
            probation: now ? { limits: now.limits, until: isoTime(now.until) } : null,
            confirmed: confirmationView(confirmation),
          },
          () => {
            const lifted = result === 'lifted' && name !== undefined
            out.line(resultLine(tenant, result, keepUsage))
            printConfirmation(out, confirmation, 'unblock')
            if (probation) out.line(probationLine(now, lifted), lifted ? undefined : 'warn')
            if (name !== undefined) out.line(caseLine(name, openSteps))
          },
        )
        if (options.wait) assertConfirmed(confirmation)
      })
    })
  manual(command, {
    examples: [
      'unblock contoso --reason "password changed, queue cleaned"',
      'unblock contoso --reason "password changed" --limits "50/1h, 200/1d" --for 7d',
      'unblock contoso --keep-usage --reason "limit raised"',
      'unblock --since 2026-11-26T08:55Z --reason "limits had been set too low"',
    ],
    json: [
      'result: lifted (also a would-be trip, or the 451 after usage that could not be read) | unchanged |',
      '  ended (it was not restricted, and its probation has ended)',
      'tenant',
      'case: that of the restriction, null where there is none',
      'open_steps: steps of its checklist that are not ticked',
      'probation: null, or {limits, until}; where it was not restricted, the one that it is on already',
      ...CONFIRMED_FIELDS,
      'with --since: result: lifted | unchanged; since',
      'lifted, changed, kept, by_hand: arrays of {tenant, case}; lifted, with the case closed; lifted or',
      '  restricted anew since it was listed; still restricted, with the reason; placed by a person;',
      '  confirmed: of all that were listed; null where none was lifted',
    ],
    exit: {
      ...NO_TENANT,
      4: '[case] checklist=require, and steps are not ticked (see --force); or it was restricted again meanwhile; or --since without --yes in a script',
      ...NOT_CONFIRMED,
      130: 'stopped by Ctrl-C: the same command again goes on',
    },
  })
}

/** @throws {InputError} */
function sinceOptionsOf(options: UnblockOptions, reason: string): SinceOptions {
  const { since, keepUsage, limits, for: time, force, yes, wait } = options
  if (since === undefined) throw new InputError('name a tenant, or give --since')
  if (keepUsage || limits !== undefined || time !== undefined) {
    throw new InputError('--keep-usage, --limits and --for are for one tenant: name it')
  }
  const from = timeIn('--since', since, 0)
  return { since: from, reason, force: force === true, yes: yes === true, wait: wait === true }
}

/** @throws {InputError} */
function termsOf({ limits, for: time }: UnblockOptions): ProbationTerms | undefined {
  if (limits === undefined && time === undefined) return undefined
  if (limits === undefined || time === undefined) {
    throw new InputError('--limits and --for go together: --limits "50/1h, 200/1d" --for 7d')
  }
  const parsed = parseLimits(limits)
  if (parsed.length === 0) {
    throw new InputError('--limits unlimited is no probation: give limits, such as 50/1h')
  }
  return { limits: formatLimits(parsed), duration: parseDuration('--for', time) }
}
