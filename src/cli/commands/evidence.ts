import type { Command } from 'commander'
import { forTenant } from '../../cases/for-tenant'
import { readEvidence } from '../../cases/read-evidence'
import { contextOf } from '../kit/context'
import { COUNTS_FIELDS } from '../views/counts'
import { evidenceJson, printEvidence } from '../views/evidence'
import { printTenantEvidence, tenantEvidenceJson } from '../views/tenant-evidence'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'

/** `tenantctl evidence` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('evidence')
    .description(
      'the state when a tenant was restricted: meter, last 24 hours, top senders, samples, changes',
    )
    .argument('<case>', 'such as contoso:3; a tenant alone: its latest case')
    .option(
      '--for-tenant',
      'only what the tenant may see: no other tenants, no operators, no reasons, no changes',
    )
    .action(async (name: string, options: { forTenant?: boolean }, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store) => {
        const evidence = await readEvidence(store, name)
        if (options.forTenant) {
          const shown = forTenant(evidence)
          out.result(tenantEvidenceJson(shown), () => printTenantEvidence(out, shown))
          return
        }
        out.result(evidenceJson(evidence), () => printEvidence(out, evidence))
      })
    })
  manual(command, {
    examples: [
      'evidence contoso',
      'evidence contoso:3 --json > contoso-3.json',
      'evidence contoso --for-tenant > for-contoso.txt',
    ],
    json: [
      'tenant, case, frozen_at: when it was read, node: {host, pid} of the process that did',
      'event: as in tenantctl events: id, at, by, reason, scope, trigger (what tripped it, or null),',
      '  windows (the meter in that moment, or null), probation',
      'mode; limits: {unregistered, from: tenant | default | probation, null, forwarded (null: none)}',
      'windows, null_windows, forwarded_windows (null: none): the meters when it was read; each {window, limit, defer, used}',
      'hours: of the 24 hours before, each {at, unregistered, foreign, forwarded, registered, null}:',
      '  counts',
      'minutes: from two hours before to one hour after, each {at, class, connector, and counts}, of three connectors of each',
      '  class, then (other); minutes_complete: false until that hour is over',
      'domains, connectors, ips, users: the 20 with the most recipients, each {value, and counts};',
      '  of domains with class: unregistered | foreign | forwarded',
      ...COUNTS_FIELDS,
      'other_domains: about how many domains (other) sums up',
      'foreign: domains of other tenants in the days of these hours, each {domain, owner, and counts}',
      'header_from, null_header_from: of the same days, as in tenantctl report; null where it was frozen by a version',
      '  that did not know it',
      'samples: the newest 50, each {day, class, domain, connector, ip, user, message_id, helo}',
      'changes: the last 50 of 30 days, as in tenantctl audit',
      'with --for-tenant: tenant, case, restricted_at, scope, trigger, windows, hours, minutes, domains, connectors,',
      '  ips, users, other_domains, header_from, null_header_from, samples; mail of class foreign is unregistered in them',
    ],
    exit: { 3: 'no such tenant or case, or there is no evidence of it' },
  })
}
