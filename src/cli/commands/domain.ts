import type { Command } from 'commander'
import { acceptedDomainName } from '../../names/accepted'
import { typedDomain } from '../../names/typed-domain'
import { registerDomains } from '../../operations/register-domains'
import { DomainRegistry } from '../../registry/domain-registry'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { groupManual, manual } from '../kit/manual'
import { readNames } from '../kit/names-input'
import { count } from '../../base/count'
import type { Output } from '../kit/output'
import { isoTime, shortTime } from '../../base/time'
import { NO_TENANT } from '../kit/statuses'

/** The most names that are listed; more are only counted. */
const MANY = 20

interface AddOptions {
  readonly subdomains?: boolean
  readonly shared?: boolean
  readonly force?: boolean
}

/** `tenantctl domain add | remove | move | list` */
export function add(program: Command, io: Io): void {
  const domain = program
    .command('domain')
    .description('accepted domains: the sender domains of a tenant, never metered')
  groupManual(domain, [
    'domain add contoso contoso.com --subdomains',
    'domain remove contoso old.example',
    'domain move contoso.com fabrikam',
    'domain list contoso',
  ])
  addAdd(domain, io)
  addRemove(domain, io)
  addMove(domain, io)
  addList(domain, io)
}

function addAdd(domain: Command, io: Io): void {
  const command = domain
    .command('add')
    .description('register accepted domains: all of them, or none')
    .argument('<tenant>')
    .argument('<domain...>', '`-` reads names from stdin (# begins a comment)')
    .option('--subdomains', 'every name below it too')
    .option(
      '--shared',
      'without owning it: for agencies and names outside the public DNS; mail to it counts',
    )
    .option('--force', 'even the domain of a mailbox provider, where anyone can have an address')
    .action(async (tenant: string, args: string[], options: AddOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const flags = { subdomains: options.subdomains === true, shared: options.shared === true }
      const names = (await readNames(args, io)).map((name) => acceptedDomainName(name, flags))
      const domains = [...new Set(names)].map((name) => ({ domain: name, ...flags }))
      const anyProvider = options.force === true
      if (!anyProvider) context.needed('registry')
      const { registry } = context.config()
      await context.writing(async (store) => {
        const { added, unchanged } = await registerDomains(store, tenant, domains, {
          by,
          anyProvider,
          neverRegister: registry.neverRegister,
        })
        const result = added.length > 0 ? 'added' : 'unchanged'
        out.result({ result, tenant, added, unchanged }, () => {
          tell(out, added, (what) => `added ${what} to ${tenant}`)
          tell(out, unchanged, (what) => `${what}: there already`)
        })
      })
    })
  manual(command, {
    examples: [
      'domain add contoso contoso.com --subdomains',
      'domain add contoso contoso.de contoso.fr',
      'domain add contoso - < domains.txt',
      'domain add agency customer.example --shared',
      'domain add contoso corp.local --shared',
    ],
    json: ['result: added | unchanged', 'tenant', 'added, unchanged: arrays of names as A-labels'],
    exit: {
      ...NO_TENANT,
      4: 'another tenant owns one of them, it is registered with other flags, or it belongs to a mailbox provider (--force adds it); nothing was added',
    },
  })
}

function addRemove(domain: Command, io: Io): void {
  const command = domain
    .command('remove')
    .description('remove accepted domains: all of them, or none')
    .argument('<tenant>')
    .argument('<domain...>', '`-` reads names from stdin')
    .action(async (tenant: string, args: string[], _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      const removed = [...new Set((await readNames(args, io)).map(typedDomain))]
      await context.writing(async (store) => {
        await new DomainRegistry(store).remove(tenant, removed)
        out.result({ result: 'removed', tenant, removed }, () => {
          tell(out, removed, (what) => `removed ${what} from ${tenant}`)
        })
      })
    })
  manual(command, {
    examples: ['domain remove contoso old.example'],
    json: ['result: removed', 'tenant', 'removed: array of names'],
    exit: { 3: 'no such tenant, or one of the domains is not there; nothing was removed' },
  })
}

function addMove(domain: Command, io: Io): void {
  const command = domain
    .command('move')
    .description('give an owned domain to another tenant, in one step')
    .argument('<domain>')
    .argument('<tenant>', 'the new owner')
    .action(async (name: string, tenant: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const moved = typedDomain(name)
      await context.writing(async (store) => {
        const { from } = await new DomainRegistry(store).move(moved, tenant, by)
        const result = from === undefined ? 'unchanged' : 'moved'
        out.result({ result, domain: moved, from: from ?? null, tenant }, () => {
          if (result === 'unchanged') out.line(`${moved} belongs to ${tenant} already`)
          else out.line(`moved ${moved} from ${from} to ${tenant}`)
        })
      })
    })
  manual(command, {
    examples: ['domain move contoso.com fabrikam'],
    json: [
      'result: moved | unchanged',
      'domain',
      'from: the owner before; null when unchanged',
      'tenant: the owner now',
    ],
    exit: {
      3: 'no such tenant, or no tenant owns the domain',
      4: 'the new tenant may not have it, for example because a third one owns a name below it',
    },
  })
}

function addList(domain: Command, io: Io): void {
  const command = domain
    .command('list')
    .description('list the accepted domains of a tenant')
    .argument('<tenant>')
    .addOption(allRows())
    .action(async (tenant: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store) => {
        const domains = await new DomainRegistry(store).list(tenant)
        const views = domains.map((each) => ({
          tenant,
          domain: each.domain,
          subdomains: each.subdomains,
          shared: each.shared,
          added_at: isoTime(each.addedAt),
          added_by: each.addedBy,
        }))
        out.result(views, () => {
          out.table(
            ['DOMAIN', 'SUBDOMAINS', 'SHARED', 'ADDED', 'BY'],
            domains.map((each) => [
              each.domain,
              each.subdomains ? 'yes' : 'no',
              each.shared ? 'yes' : 'no',
              shortTime(each.addedAt),
              each.addedBy,
            ]),
            `${tenant} has no accepted domains: all its mail is unregistered; add one with: tenantctl domain add ${tenant} DOMAIN`,
          )
          if (views.length > MANY) out.line(count(views.length, 'domain'))
        })
      })
    })
  manual(command, {
    examples: ['domain list contoso', "domain list contoso --json | jq -r '.[].domain'"],
    json: ['an array of:', 'tenant, domain, subdomains, shared, added_at, added_by'],
    exit: NO_TENANT,
  })
}

/** A line for each name, or one for many. */
function tell(out: Output, names: readonly string[], line: (what: string) => string): void {
  if (names.length > MANY) out.line(line(count(names.length, 'domain')))
  else for (const name of names) out.line(line(name))
}
