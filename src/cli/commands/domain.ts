import type { Command } from 'commander'
import { tenantctl } from '../../base/command-line'
import { InputError, NotFoundError } from '../../base/errors'
import type { AcceptedDomain } from '../../mail/tenant'
import { acceptedDomainName } from '../../names/accepted'
import { typedDomain } from '../../names/typed-domain'
import { findDomain, type Holders, type Registration } from '../../operations/find-domain'
import { lossOfDomains, removeDomains, setSubdomains } from '../../operations/domains'
import { registerDomains } from '../../operations/register-domains'
import { DomainRegistry } from '../../registry/domain-registry'
import { allRows } from '../kit/all-rows'
import { askFirst } from '../kit/ask-first'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { longWork } from '../kit/long-work'
import { noteManaged } from '../kit/managed'
import { groupManual, manual } from '../kit/manual'
import { readNames } from '../kit/names-input'
import { count } from '../../base/count'
import { isoTime, shortTime } from '../../base/time'
import { addedLines, MANY, removedLines, subdomainsLines } from '../views/domain'
import { domainLossLines } from '../views/loss'
import { NO_TENANT } from '../kit/statuses'

/** Up to this many are removed without a question. */
const MANY_TO_REMOVE = 10

interface AddOptions {
  readonly subdomains?: boolean
  readonly shared?: boolean
  readonly force?: boolean
}

/** `tenantctl domain add | set | remove | move | show | list` */
export function add(program: Command, io: Io): void {
  const domain = program
    .command('domain')
    .description('accepted domains: the sender domains of a tenant, never metered')
  groupManual(domain, [
    'domain add contoso contoso.com --subdomains',
    'domain set contoso contoso.com --no-subdomains',
    'domain remove contoso old.example',
    'domain move contoso.com fabrikam',
    'domain show mail.contoso.com',
    'domain list contoso',
  ])
  addAdd(domain, io)
  addSet(domain, io)
  addRemove(domain, io)
  addMove(domain, io)
  addShow(domain, io)
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
      const { neverRegister } = context.config().registry
      await context.writing(async (store) => {
        const { added, unchanged } = await longWork(io, 'registering domains', (work) =>
          registerDomains(store, tenant, domains, { by, anyProvider, neverRegister }, work),
        )
        const result = added.length > 0 ? 'added' : 'unchanged'
        out.result({ result, tenant, added, unchanged }, () => {
          for (const line of addedLines(tenant, { added, unchanged })) out.line(line)
        })
        await noteManaged(context, store, tenant)
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
      130: 'stopped by Ctrl-C or SIGTERM; nothing was added',
    },
  })
}

function addSet(domain: Command, io: Io): void {
  const command = domain
    .command('set')
    .description('change in place whether names below accepted domains count: of all, or of none')
    .argument('<tenant>')
    .argument('<domain...>', '`-` reads names from stdin')
    .option('--subdomains', 'every name below it, too')
    .option('--no-subdomains', 'only the name itself')
    .action(
      async (
        tenant: string,
        args: string[],
        { subdomains }: { readonly subdomains?: boolean },
        self: Command,
      ) => {
        if (subdomains === undefined) {
          throw new InputError('nothing to change: give --subdomains or --no-subdomains')
        }
        const context = contextOf(io, self)
        const { by, out } = context
        const names = await readNames(args, io)
        await context.writing(async (store) => {
          const { changed, unchanged } = await longWork(io, 'changing domains', (work) =>
            setSubdomains(store, tenant, names, subdomains, by, work),
          )
          const result = changed.length > 0 ? 'changed' : 'unchanged'
          out.result({ result, tenant, changed, unchanged }, () => {
            const lines = subdomainsLines(tenant, subdomains, { changed, unchanged })
            for (const line of lines) out.line(line)
          })
          await noteManaged(context, store, tenant)
        })
      },
    )
  manual(command, {
    examples: [
      'domain set contoso contoso.com --subdomains',
      'domain set contoso contoso.de contoso.fr --no-subdomains',
    ],
    json: [
      'result: changed | unchanged',
      'tenant',
      'changed, unchanged: arrays of names as A-labels',
    ],
    exit: {
      3: 'no such tenant, or one of the domains is not there; nothing was changed',
      4: 'another tenant owns a name below one of them; nothing was changed',
      130: 'stopped by Ctrl-C or SIGTERM; nothing was changed',
    },
  })
}

function addRemove(domain: Command, io: Io): void {
  const command = domain
    .command('remove')
    .description('remove accepted domains: all of them, or none')
    .argument('<tenant>')
    .argument('<domain...>', '`-` reads names from stdin')
    .option('--yes', `do not ask at a terminal, as it does for more than ${MANY_TO_REMOVE}`)
    .action(
      async (
        tenant: string,
        args: string[],
        { yes = false }: { readonly yes?: boolean },
        self: Command,
      ) => {
        const context = contextOf(io, self)
        const { out } = context
        const names = [...new Set((await readNames(args, io)).map(typedDomain))]
        await context.writing(async (store) => {
          const removed = await askFirst(context, {
            yes: yes || names.length <= MANY_TO_REMOVE,
            lines: async () => domainLossLines(await lossOfDomains(store, tenant, names)),
            question: `Remove ${count(names.length, 'domain')} from ${tenant}?`,
          })
          if (removed) {
            await longWork(io, 'removing domains', (work) =>
              removeDomains(store, tenant, names, work),
            )
          }
          const result = removed ? 'removed' : 'unchanged'
          out.result({ result, tenant, removed: removed ? names : [] }, () => {
            const lines = removed ? removedLines(tenant, names) : ['nothing was removed']
            for (const line of lines) out.line(line)
          })
          if (removed) await noteManaged(context, store, tenant)
        })
      },
    )
  manual(command, {
    examples: ['domain remove contoso old.example', 'domain remove contoso - --yes < old.txt'],
    json: ['result: removed | unchanged (not confirmed)', 'tenant', 'removed: array of names'],
    exit: {
      3: 'no such tenant, or one of the domains is not there; nothing was removed',
      130: 'stopped by Ctrl-C or SIGTERM; nothing was removed',
    },
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
        for (const each of from === undefined ? [] : [from, tenant]) {
          await noteManaged(context, store, each)
        }
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

function addShow(domain: Command, io: Io): void {
  const command = domain
    .command('show')
    .description('show whose registered mail comes from a name, and by which accepted domain')
    .argument('<name>', 'a domain, or any name below one')
    .action(async (name: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      const asked = typedDomain(name)
      await context.connected(async (store) => {
        const { owner, shared } = await findDomain(store, asked)
        if (!owner && shared.length === 0) {
          throw new NotFoundError(
            `no tenant has ${asked}: mail from it is unregistered for every tenant; to register it: ${tenantctl('domain', 'add', 'TENANT', asked)}`,
          )
        }
        out.result(
          {
            domain: asked,
            owner: owner
              ? owner.state === 'registered'
                ? { state: owner.state, ...domainView(owner.tenant, owner.accepted) }
                : owner
              : null,
            shared: shared.map(({ tenant, accepted }) => domainView(tenant, accepted)),
          },
          () => {
            out.facts([
              ['domain', asked],
              ['owner', ownerText(owner)],
              ...shared.map((each) => ['shared', registrationText(each)] as const),
            ])
          },
        )
      })
    })
  manual(command, {
    examples: ['domain show contoso.com', 'domain show mail.contoso.com'],
    json: [
      'domain: the name as A-labels',
      'owner: null, or state (registered | unfinished), tenant, domain (the accepted domain that covers the name), subdomains, shared, added_at, added_by; unfinished: only tenant and domain',
      'shared: array of tenants that have it without owning it: tenant, domain, subdomains, shared, added_at, added_by',
    ],
    exit: { 3: 'no tenant has it' },
  })
}

function ownerText(owner: Holders['owner']): string {
  if (!owner) return 'no tenant'
  if (owner.state === 'registered') return registrationText(owner)
  const { tenant, domain } = owner
  return `${tenant} has claimed ${domain}, which is not among its accepted domains: a command is writing it, or was interrupted`
}

function registrationText({ tenant, accepted }: Registration): string {
  const { domain, subdomains, addedAt, addedBy } = accepted
  const flags = subdomains ? ' with subdomains' : ''
  return `${tenant}, by ${domain}${flags}, since ${shortTime(addedAt)} by ${addedBy}`
}

/** An accepted domain, as JSON. */
function domainView(tenant: string, each: AcceptedDomain): object {
  return {
    tenant,
    domain: each.domain,
    subdomains: each.subdomains,
    shared: each.shared,
    added_at: isoTime(each.addedAt),
    added_by: each.addedBy,
  }
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
        const views = domains.map((each) => domainView(tenant, each))
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
            `${tenant} has no accepted domains: all its mail is unregistered; add one with: ${tenantctl('domain', 'add', tenant, 'DOMAIN')}`,
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
