import type { Command } from 'commander'
import { formatLimits, parseDuration, parseLimits, type Limits } from '../../mail/limits'
import { decodeProbation, type Probation } from '../../allowance/usage'
import { openSteps, type Step } from '../../cases/case'
import { Cases, MOST_NOTES } from '../../cases/cases'
import type { Config } from '../../process/config'
import { InputError, RefusedError } from '../../base/errors'
import { Restrictions, type ProbationTerms } from '../../allowance/restriction'
import { serverTime } from '../../store/server-clock'
import type { Store } from '../../store/store'
import { assertTenantId } from '../../mail/identities'
import { isoTime, shortTime } from '../../base/time'
import { acceptedReason } from '../kit/actor'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { NO_TENANT } from '../kit/statuses'
import { existingTenant } from '../views/tenant'

interface UnblockOptions {
  readonly reason: string
  readonly keepUsage?: boolean
  readonly limits?: string
  readonly for?: string
  readonly force?: boolean
}

/** `tenantctl unblock` */
export function addUnblockCommand(program: Command, io: Io): void {
  const command = program
    .command('unblock')
    .description('lift a restriction and start the windows afresh')
    .argument('<tenant>')
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .option('--keep-usage', 'leave the windows as they are: the next message may trip again')
    .option(
      '--limits <list>',
      'lift into probation: this smaller allowance holds besides its own, such as "50/1h"',
    )
    .option('--for <time>', 'for so long, such as 7d; together with --limits')
    .option('--force', 'even where [case] checklist=require and steps are not ticked')
    .action(async (tenant: string, options: UnblockOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      assertTenantId(tenant)
      const reason = acceptedReason(options.reason)
      const keepUsage = options.keepUsage === true
      const terms = termsOf(options)
      await context.writing(async (store, config) => {
        const cases = new Cases(store)
        const name = await cases.ensure(tenant)
        const left = name === undefined ? [] : await stepsLeft(cases, name)
        assertEarned(config, name, left, options.force === true)
        if (terms) await assertSmaller(store, tenant, terms, config.allowance.limits)
        const act = { reason, by, keepUsage, seen: name ?? '', ...(terms && { probation: terms }) }
        const result = await new Restrictions(store).lift(tenant, act)
        const lifted = result === 'lifted' && name !== undefined
        if (lifted) await cases.noteLift(name)
        if (lifted && left.length > 0 && options.force) {
          const text = `unblocked with --force; not ticked: ${left.join(', ')}`
          await cases.note(name, { by, text }, MOST_NOTES + 1)
        }
        const probation = terms ? await probationOf(store, tenant) : undefined
        out.result(
          {
            result,
            tenant,
            case: name ?? null,
            open_steps: left,
            probation: probation
              ? { limits: probation.limits, until: isoTime(probation.until) }
              : null,
          },
          () => {
            out.line(resultLine(tenant, result, keepUsage))
            if (terms) out.line(probationLine(probation, lifted), lifted ? undefined : 'warn')
            if (name !== undefined) out.line(caseLine(name, left))
          },
        )
      })
    })
  manual(command, {
    examples: [
      'unblock contoso --reason "password changed, queue cleaned"',
      'unblock contoso --reason "password changed" --limits "50/1h, 200/1d" --for 7d',
      'unblock contoso --keep-usage --reason "limit raised"',
    ],
    json: [
      'result: lifted (also a would-be trip, or the 451 after usage that could not be read) | unchanged |',
      '  ended (it was not restricted, and its probation has ended)',
      'tenant',
      'case: that of the restriction, null where there is none',
      'open_steps: steps of its checklist that nobody has ticked',
      'probation: null, or {limits, until}; where it was not restricted, the one that it is on already',
    ],
    exit: {
      ...NO_TENANT,
      4: '[case] checklist=require, and steps are not ticked (see --force); or it has been restricted anew in between',
    },
  })
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

async function stepsLeft(cases: Cases, name: string): Promise<Step[]> {
  const found = await cases.get(name)
  return found ? openSteps(found) : []
}

/** @throws {RefusedError} steps are not ticked, and have to be. */
function assertEarned(
  config: Config,
  name: string | undefined,
  left: readonly Step[],
  force: boolean,
): void {
  if (left.length === 0 || force || config.case.checklist !== 'require') return
  throw new RefusedError(
    `case ${name} has steps that nobody has ticked: ${left.join(', ')}; tick them (tenantctl case check ${name} ${left[0]} --note …), or unblock with --force, which is written down`,
  )
}

/**
 * A probation that is no smaller than the allowance changes nothing, and is a slip of the keyboard.
 *
 * @param usual the allowance of a tenant that has none of its own.
 * @throws {InputError}
 */
async function assertSmaller(
  store: Store,
  tenant: string,
  { limits }: ProbationTerms,
  usual: Limits,
): Promise<void> {
  const { limits: text } = await existingTenant(store, tenant)
  const own = text === undefined ? usual : parseLimits(text)
  const isSmaller = parseLimits(limits).some(
    ({ count, window }) => !own.some((each) => each.count <= count && each.window >= window),
  )
  if (isSmaller) return
  throw new InputError(
    `--limits "${limits}" allows no less than ${tenant} may anyway (${formatLimits(own)}): give smaller limits, or none`,
  )
}

/** The probation that holds now. */
async function probationOf(store: Store, tenant: string): Promise<Probation | undefined> {
  const { client, keys } = store
  const [packed, now] = await Promise.all([
    client.hget(keys.tenant(tenant), 'probation'),
    serverTime(client),
  ])
  const probation = decodeProbation(packed ?? '')
  return probation && probation.until > now ? probation : undefined
}

function resultLine(
  tenant: string,
  result: 'lifted' | 'ended' | 'unchanged',
  keepUsage: boolean,
): string {
  if (result === 'ended') return `${tenant} is not restricted; its probation has ended`
  if (result === 'unchanged') return `${tenant} is not restricted`
  return `unblocked ${tenant}${keepUsage ? ', its usage is kept' : ', its windows start afresh'}`
}

function probationLine(probation: Probation | undefined, lifted: boolean): string {
  if (!probation) return 'no probation: it begins where a restriction is lifted'
  const holds = `${probation.limits} until ${shortTime(probation.until)}`
  return lifted ? `on probation: ${holds}` : `on probation as before: ${holds}`
}

function caseLine(name: string, left: readonly Step[]): string {
  const close = `tenantctl case close ${name} --note …`
  if (left.length === 0) return `case ${name}: all steps are ticked; close it with ${close}`
  return `case ${name}: not ticked: ${left.join(', ')}; tenantctl case show ${name}`
}
