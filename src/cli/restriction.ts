import type { Command } from 'commander'
import { Restrictions, type Restriction } from '../restriction/restriction'
import { assertTenantId } from '../tenants/identities'
import { acceptedReason } from './actor'
import { contextOf } from './context'
import type { Io } from './io'
import { manual } from './manual'
import { shortTime } from '../time'
import { describeTrigger, restrictionView } from './restriction-view'
import { NO_TENANT } from './statuses'

interface BlockOptions {
  readonly reason: string
  readonly all?: boolean
}

interface UnblockOptions {
  readonly reason: string
  readonly keepUsage?: boolean
}

/** `tenantctl restricted | block | unblock` */
export function addRestrictionCommands(program: Command, io: Io): void {
  addRestricted(program, io)
  addBlock(program, io)
  addUnblock(program, io)
}

function addRestricted(program: Command, io: Io): void {
  const command = program
    .command('restricted')
    .description('who is restricted, since when, and why')
    .action(async (_options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store) => {
        const restrictions = await new Restrictions(store).list()
        const views = restrictions.map((each) => ({
          tenant: each.tenant,
          ...restrictionView(each),
        }))
        out.result(views, () => {
          out.table(
            ['TENANT', 'SINCE', 'SCOPE', 'BY', 'REASON', 'TRIGGER'],
            restrictions.map((each) => [
              each.tenant,
              shortTime(each.since),
              each.scope,
              each.by,
              each.reason,
              each.trigger ? describeTrigger(each.trigger) : '',
            ]),
            'nobody is restricted',
          )
        })
      })
    })
  manual(command, {
    examples: ['restricted', "restricted --json | jq -r '.[].tenant'"],
    json: [
      'an array of:',
      'tenant, since, by (automatic for a trip), reason, scope: unregistered | all',
      'trigger: null, or {window, limit, used, domain, connector, ip}',
    ],
  })
}

function addBlock(program: Command, io: Io): void {
  const command = program
    .command('block')
    .description('restrict a tenant by hand, on every node at once')
    .argument('<tenant>')
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .option('--all', 'refuse all mail that it relays, not only from unregistered domains')
    .action(async (tenant: string, options: BlockOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      assertTenantId(tenant)
      const reason = acceptedReason(options.reason)
      const scope = options.all ? 'all' : 'unregistered'
      await context.writing(async (store) => {
        const result = await new Restrictions(store).place(tenant, { scope, reason, by })
        out.result({ result, tenant, scope }, () => out.line(placed(tenant, scope, result)))
      })
    })
  manual(command, {
    examples: [
      'block contoso --reason "account taken over, ticket 4711"',
      'block contoso --all --reason "phishing from contoso.com itself"',
    ],
    json: ['result: placed | widened | unchanged', 'tenant', 'scope: unregistered | all'],
    exit: { ...NO_TENANT, 4: 'it is restricted with --all: to loosen that, unblock it first' },
  })
}

function addUnblock(program: Command, io: Io): void {
  const command = program
    .command('unblock')
    .description('lift a restriction and start the windows afresh')
    .argument('<tenant>')
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .option('--keep-usage', 'leave the windows as they are: the next message may trip again')
    .action(async (tenant: string, options: UnblockOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      assertTenantId(tenant)
      const reason = acceptedReason(options.reason)
      const keepUsage = options.keepUsage === true
      await context.writing(async (store) => {
        const result = await new Restrictions(store).lift(tenant, { reason, by, keepUsage })
        out.result({ result, tenant }, () =>
          out.line(
            result === 'lifted'
              ? `unblocked ${tenant}${keepUsage ? ', its usage is kept' : ', its windows start afresh'}`
              : `${tenant} is not restricted`,
          ),
        )
      })
    })
  manual(command, {
    examples: [
      'unblock contoso --reason "password changed, queue cleaned"',
      'unblock contoso --keep-usage --reason "limit raised"',
    ],
    json: ['result: lifted | unchanged', 'tenant'],
    exit: NO_TENANT,
  })
}

function placed(tenant: string, scope: Restriction['scope'], result: string): string {
  const what =
    scope === 'all' ? 'all mail that it relays is refused' : 'its unregistered mail is refused'
  if (result === 'unchanged') return `${tenant} is restricted already: ${what}`
  return `blocked ${tenant}: ${what}`
}
