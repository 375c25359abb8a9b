import type { Command } from 'commander'
import { parseCaseName } from '../../cases/case'
import { parseEvidence, type Evidence } from '../../cases/evidence'
import { NotFoundError } from '../../base/errors'
import type { Store } from '../../store/store'
import { assertTenantId } from '../../mail/identities'
import { contextOf } from '../kit/context'
import { COUNTS_FIELDS } from '../views/counts'
import { evidenceJson, printEvidence } from '../views/evidence'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { existingTenant } from '../../operations/tenants'

/** `tenantctl evidence` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('evidence')
    .description(
      'the state when a tenant was restricted: meter, last 24 hours, top senders, samples, changes',
    )
    .argument('<case>', 'such as contoso:3; a tenant alone: its latest case')
    .action(async (name: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store) => {
        const evidence = await evidenceOf(store, name)
        out.result(evidenceJson(evidence), () => printEvidence(out, evidence))
      })
    })
  manual(command, {
    examples: ['evidence contoso', 'evidence contoso:3 --json > contoso-3.json'],
    json: [
      'tenant, case, frozen_at: when it was read, node: {host, pid} of the process that did',
      'event: as in tenantctl events: id, at, by, reason, scope, trigger (what tripped it, or null),',
      '  windows (the meter in that moment, or null), probation',
      'mode; limits: {unregistered, from: tenant | default | probation, null, forwarded (null: none)}',
      'windows, null_windows, forwarded_windows (null: none): the meters when it was read; each {window, limit, defer, used}',
      'hours: of the 24 hours before, each {at, unregistered, foreign, forwarded, registered, null}:',
      '  counts',
      'domains, connectors, ips, users: the 20 with the most recipients, each {value, and counts};',
      '  of domains with class: unregistered | foreign | forwarded',
      ...COUNTS_FIELDS,
      'other_domains: about how many domains (other) sums up',
      'foreign: domains of other tenants in the days of these hours, each {domain, owner, and counts}',
      'header_from, null_header_from: of the same days, as in tenantctl report; null where it was frozen by a version',
      '  that did not know it',
      'samples: the newest 50, each {day, class, domain, connector, ip, user, message_id, helo}',
      'changes: the last 50 of 30 days, as in tenantctl audit',
    ],
    exit: { 3: 'no such tenant or case, or there is no evidence of it' },
  })
}

/** @throws {NotFoundError} with the reason. */
async function evidenceOf(store: Store, name: string): Promise<Evidence> {
  const { client, keys } = store
  const { tenant, number } = await caseOf(store, name)
  const text = await client.get(keys.evidence(tenant, number))
  if (text !== null) return parseEvidence(text)
  const [record, last] = await Promise.all([
    client.hget(keys.caseOf(tenant, number), 'closed'),
    lastCase(store, tenant),
  ])
  if (number > last) {
    throw new NotFoundError(
      `there is no case ${tenant}:${number}; ${last === 0 ? `${tenant} has had none` : `the latest is ${tenant}:${last}`}`,
    )
  }
  throw new NotFoundError(
    record === null
      ? `there is no evidence of ${tenant}:${number}: a running Haraka gathers it within seconds of the restriction, and 30 days after the case is closed it goes`
      : `there is no evidence of ${tenant}:${number} now: it is kept for 30 days after the case is closed`,
  )
}

/** The case of that name, or the latest of the tenant. */
async function caseOf(store: Store, name: string): Promise<{ tenant: string; number: number }> {
  if (name.includes(':')) return parseCaseName(name)
  assertTenantId(name)
  const last = await lastCase(store, name)
  if (last > 0) return { tenant: name, number: last }
  await existingTenant(store, name)
  throw new NotFoundError(`${name} has had no case: it was never restricted`)
}

async function lastCase({ client, keys }: Store, tenant: string): Promise<number> {
  const [current, outlived] = await Promise.all([
    client.hget(keys.tenant(tenant), 'cases'),
    client.get(keys.caseCount(tenant)),
  ])
  return Math.max(Number(current), Number(outlived))
}
