import type { Command } from 'commander'
import { Lookup } from '../../dns/lookup'
import { MATURE_DAYS } from '../../suggest/rank'
import { readFacts } from '../../suggest/read-facts'
import { MOST_LOOKED_UP, suggestDomains } from '../../suggest/suggest'
import { assertTenantId } from '../../mail/identities'
import { printSuggestion, suggestionJson } from '../views/suggest'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { NO_TENANT } from '../kit/statuses'

/** `tenantctl suggest` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('suggest')
    .description(
      'rank the unregistered domains of a tenant as probably its own, by its mail and by DNS; changes nothing',
    )
    .argument('<tenant>')
    .option(
      '--dns <address>',
      'ask this resolver, ADDRESS or ADDRESS:PORT (default: that of the system)',
    )
    .option('--why', 'the reasons for each domain, too')
    .addOption(allRows())
    .action(async (tenant: string, options: { dns?: string; why?: boolean }, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      assertTenantId(tenant)
      const dns = new Lookup(options.dns)
      await context.connected(async (store, config) => {
        const { neverRegister } = config.registry
        const suggestion = await suggestDomains(
          store,
          tenant,
          config.report.days,
          (domain) => readFacts(domain, dns),
          neverRegister,
        )
        const { why = false } = options
        out.result(suggestionJson(tenant, suggestion, dns), () =>
          printSuggestion(out, tenant, suggestion, dns, why),
        )
      })
    })
  manual(command, {
    examples: [
      'suggest contoso',
      'suggest contoso --why',
      'suggest contoso --dns 192.0.2.53',
      'suggest contoso --json | jq -r .command',
    ],
    json: [
      'tenant',
      'from: since when reports were looked at',
      'trip: last restriction, or null',
      'domains, the best first: array of {domain, class, score, reasons, recipients,',
      '  days, first_seen, last_seen, connectors, like, likeness, imitates}',
      'like: the accepted domain whose name it is most like, or null; likeness: 0 to 1, or null; imitates: the accepted domain',
      '  that it differs from only in letters that look alike, or null; connectors: the most recipients first',
      `class: own | unclear | abuse; own never where first seen less than ${MATURE_DAYS} days before the trip`,
      'reasons: array of {points, text}; their points make the score. days: on which mail was accepted',
      'never: array of {domain, recipients, why}: not suggested',
      'others: about how many more domains have no report row of their own',
      `dns: {away, looked_up, missing}: of how many domains (${MOST_LOOKED_UP} at most), how many questions got no answer`,
      'command: adds the domains that are ranked as own; null where there are none',
    ],
    exit: NO_TENANT,
  })
}
