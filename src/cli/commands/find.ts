import type { Command } from 'commander'
import { NotFoundError } from '../../base/errors'
import { isoDay, shortTime } from '../../base/time'
import { connectorId } from '../../mail/identities'
import { find, type FoundAll } from '../../operations/find'
import { NameIndex } from '../../registry/name-index'
import type { Seen } from '../../reporting/mail-index'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { outside, type Cell } from '../kit/output'
import { identitiesOf } from '../views/connector'
import { findView, isAnything, notesOf } from '../views/find'

/** `tenantctl find` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('find')
    .description(
      'find tenants, accepted domains, connectors and cases by a part of their names, and what mail of the last 8 days has shown: sender domains, addresses and Message-IDs by how they begin',
    )
    .argument('<text>', 'at least 3 characters')
    .action(async (text: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store) => {
        const index = new NameIndex(store)
        await index.renew()
        const found = await find(store, text, index)
        if (!isAnything(found)) {
          throw new NotFoundError(
            [`nothing is found for ${JSON.stringify(text)}`, ...notesOf(found)].join('. '),
          )
        }
        out.result(findView(found), () => {
          out.table(['KIND', 'NAME', 'TENANT', 'DETAILS'], rowsOf(found), '')
          for (const note of notesOf(found)) out.line(note, 'faint')
        })
      })
    })
  manual(command, {
    examples: ['find contoso', 'find 192.0.2.10', "find '<20261130.4711@lure.example>' --json"],
    json: [
      'tenants: array of tenant, name, restricted (true or false)',
      'domains: accepted domains: array of domain, tenant, subdomains, shared',
      'connectors: array of the fields of connector list --json',
      'cases: array of the fields of case list --json, the latest first',
      'sender_domains, addresses, message_ids: of mail that is not registered: array of domain, address',
      '  (the /64 of an IPv6 one) or message_id; tenant, null for mail without one; last_day (UTC)',
      'each array has at most 20 elements; more: those of which there are more',
      'full_days: days on which too much was new: what came last then is not found',
    ],
    exit: { 3: 'nothing is found' },
  })
}

function rowsOf({ tenants, domains, connectors, cases, mail }: FoundAll): Cell[][] {
  return [
    ...tenants.items.map(({ id, name, restricted }): Cell[] => [
      ...['tenant', name, id],
      restricted ? { text: 'restricted', tone: 'bad' } : '',
    ]),
    ...domains.items.map(({ domain, tenant, subdomains, shared }) => [
      ...['domain', domain, tenant],
      [subdomains ? 'with subdomains' : '', shared ? 'shared' : ''].filter(Boolean).join(', '),
    ]),
    ...connectors.items.map((each) => [
      ...['connector', connectorId(each.tenant, each.name), each.tenant, identitiesOf(each)],
    ]),
    ...cases.items.map(({ name, tenant, opened, closed }) => [
      ...['case', name, tenant, `${closed ? 'closed, of' : 'open since'} ${shortTime(opened)}`],
    ]),
    ...mail.domains.items.map(seenRow('sender domain')),
    ...mail.addresses.items.map(seenRow('address')),
    ...mail.messageIds.items.map(seenRow('Message-ID')),
  ]
}

function seenRow(kind: string): (seen: Seen) => Cell[] {
  return ({ value, tenant, day }) => [
    ...[kind, outside(value), tenant || '-', `last on ${isoDay(day)}`],
  ]
}
