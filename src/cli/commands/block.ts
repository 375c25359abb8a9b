import type { Command } from 'commander'
import type { Scope } from '../../mail/scope'
import { assertTenantId } from '../../mail/identities'
import { block } from '../../operations/block'
import { acceptedReason } from '../kit/actor'
import { USUAL_SCOPE } from '../../mail/scope'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { NO_TENANT } from '../kit/statuses'

interface BlockOptions {
  readonly reason: string
  readonly all?: boolean
}

/** `tenantctl block` */
export function add(program: Command, io: Io): void {
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
      const scope = options.all ? 'all' : USUAL_SCOPE
      await context.writing(async (store) => {
        const { result, case: name } = await block(store, tenant, { scope, reason, by })
        out.result({ result, tenant, scope, case: name ?? null }, () => {
          out.line(placed(tenant, scope, result))
          if (name !== undefined) out.line(`case ${name}: tenantctl case show ${name}`)
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

function placed(tenant: string, scope: Scope, result: string): string {
  const what =
    scope === 'all' ? 'all mail that it relays is refused' : 'its unregistered mail is refused'
  if (result === 'unchanged') return `${tenant} is restricted already: ${what}`
  return `blocked ${tenant}: ${what}`
}
