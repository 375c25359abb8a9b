import type { Command } from 'commander'
import { NotFoundError } from '../../base/errors'
import { find } from '../../operations/find'
import { NameIndex } from '../../registry/name-index'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { outside, type Cell } from '../kit/output'
import { findView, isAnything, kindsOf, notesOf, type FoundRow } from '../views/find'

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
          const rows = kindsOf(found).flatMap((of) => of.rows.map((row) => cellsOf(of.word, row)))
          out.table(['KIND', 'NAME', 'TENANT', 'DETAILS'], rows, '')
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

function cellsOf(kind: string, { name, tenant, details, isBad }: FoundRow): Cell[] {
  return [kind, outside(name), tenant || '-', isBad ? { text: details, tone: 'bad' } : details]
}
