import type { Command } from 'commander'
import { Cases } from '../../cases/cases'
import { Restrictions, type Restriction } from '../../allowance/restriction'
import { assertTenantId } from '../../mail/identities'
import { acceptedReason } from '../kit/actor'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { shortTime } from '../../base/time'
import { describeTrigger } from '../../mail/trigger'
import { restrictionView } from '../views/restriction'
import { NO_TENANT } from '../kit/statuses'
import { addUnblockCommand } from './unblock'

interface BlockOptions {
  readonly reason: string
  readonly all?: boolean
}

/** `tenantctl restricted | block | unblock` */
export function addRestrictionCommands(program: Command, io: Io): void {
  addRestricted(program, io)
  addBlock(program, io)
  addUnblockCommand(program, io)
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
            ['TENANT', 'CASE', 'SINCE', 'SCOPE', 'BY', 'REASON', 'TRIGGER'],
            restrictions.map((each) => [
              each.tenant,
              each.case || '-',
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
      'case: tenant:number; null where it is older than cases',
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
        const cases = new Cases(store)
        // A trip that nobody has told of yet is written down as it was, before it is widened.
        await cases.ensure(tenant)
        const result = await new Restrictions(store).place(tenant, { scope, reason, by })
        const opened = (await cases.ensure(tenant)) ?? null
        out.result({ result, tenant, scope, case: opened }, () => {
          out.line(placed(tenant, scope, result))
          if (opened) out.line(`case ${opened}: tenantctl case show ${opened}`)
        })
      })
    })
  manual(command, {
    examples: [
      'block contoso --reason "account taken over, ticket 4711"',
      'block contoso --all --reason "phishing from contoso.com itself"',
    ],
    json: [
      'result: placed | widened | unchanged',
      'tenant',
      'scope: unregistered | all',
      'case: tenant:number; null where it was restricted before there were cases',
    ],
    exit: { ...NO_TENANT, 4: 'it is restricted with --all: to loosen that, unblock it first' },
  })
}

function placed(tenant: string, scope: Restriction['scope'], result: string): string {
  const what =
    scope === 'all' ? 'all mail that it relays is refused' : 'its unregistered mail is refused'
  if (result === 'unchanged') return `${tenant} is restricted already: ${what}`
  return `blocked ${tenant}: ${what}`
}
