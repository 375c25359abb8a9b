import type { Command } from 'commander'
import { tenantctl } from '../../base/command-line'
import { assertTenantId } from '../../mail/identities'
import { block } from '../../operations/block'
import { lossOfTenant } from '../../operations/loss'
import { existingTenant } from '../../operations/tenants'
import type { Store } from '../../store/store'
import { acceptedReason } from '../kit/actor'
import { USUAL_SCOPE } from '../../mail/scope'
import { askFirst } from '../kit/ask-first'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { NO_TENANT } from '../kit/statuses'
import { blockedLine } from '../views/block'
import {
  assertConfirmed,
  CONFIRMED_FIELDS,
  confirmationView,
  NOT_CONFIRMED,
  printConfirmation,
  WAIT,
} from '../views/confirmation'
import { lossLines } from '../views/loss'

interface BlockOptions {
  readonly reason: string
  readonly all?: boolean
  readonly yes?: boolean
  readonly wait?: boolean
}

/** `tenantctl block` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('block')
    .description('restrict a tenant by hand, on every node at once')
    .argument('<tenant>')
    .requiredOption('--reason <text>', 'why (required): kept and shown')
    .option('--all', 'refuse all mail that it relays, not only from unregistered domains')
    .option('--yes', 'do not ask before all mail is refused')
    .option(...WAIT)
    .action(async (tenant: string, options: BlockOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      assertTenantId(tenant)
      const reason = acceptedReason(options.reason)
      const scope = options.all ? 'all' : USUAL_SCOPE
      await context.writing(async (store) => {
        if (options.all && !(await mayRefuseAll(context, store, tenant, options.yes === true)))
          return
        const blocked = await block(store, tenant, { scope, reason, by })
        const { result, case: name, passes, confirmation } = blocked
        const view = { result, tenant, scope, case: name ?? null }
        out.result({ ...view, confirmed: confirmationView(confirmation) }, () => {
          out.line(blockedLine(tenant, scope, blocked), passes ? 'warn' : undefined)
          printConfirmation(out, confirmation, scope === 'all' ? 'blockAll' : 'block')
          if (name !== undefined) out.line(`case ${name}: ${tenantctl('case', 'show', name)}`)
        })
        if (options.wait) assertConfirmed(confirmation)
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
      ...CONFIRMED_FIELDS,
    ],
    exit: {
      ...NO_TENANT,
      4: 'it is restricted with --all: to loosen that, unblock it first',
      ...NOT_CONFIRMED,
    },
  })
}

/** Asks whether to refuse all mail of a tenant. @throws {NotFoundError} no such tenant. */
async function mayRefuseAll(
  context: Context,
  store: Store,
  tenant: string,
  yes: boolean,
): Promise<boolean> {
  await existingTenant(store, tenant)
  const isConfirmed = await askFirst(context, {
    yes,
    lines: async () => lossLines(await lossOfTenant(store, tenant)),
    question: `Refuse all mail that ${tenant} relays, from its own domains too?`,
  })
  if (!isConfirmed) context.note('nothing was changed')
  return isConfirmed
}
