import type { Command } from 'commander'
import { Cases } from '../../cases/cases'
import { Restrictions } from '../../allowance/restriction'
import { shortTime } from '../../base/time'
import { describeTrigger } from '../../mail/trigger'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { takenView } from '../views/case'
import { restrictionView } from '../views/restriction'

/** `tenantctl restricted` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('restricted')
    .description('who is restricted, since when, and why')
    .addOption(allRows())
    .action(async (_options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store) => {
        const restrictions = await new Restrictions(store).list()
        const names = restrictions.flatMap((each) => each.case || [])
        const takers = await new Cases(store).takers(names)
        const views = restrictions.map((each) => ({
          tenant: each.tenant,
          ...restrictionView(each),
          taken: takenView(takers.get(each.case)),
        }))
        out.result(views, () => {
          out.table(
            ['TENANT', 'CASE', 'TAKEN BY', 'SINCE', 'SCOPE', 'BY', 'REASON', 'TRIGGER'],
            restrictions.map((each) => [
              each.tenant,
              each.case || '-',
              takers.get(each.case)?.by ?? '',
              shortTime(each.since),
              each.scope,
              each.by,
              each.reason,
              each.trigger ? describeTrigger(each.trigger) : '',
            ]),
            'no tenant is restricted',
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
      'case: tenant:number; null where the restriction is older than cases',
      'taken: null, or {at, by}: who is on the case',
    ],
  })
}
