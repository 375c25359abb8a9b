import type { Command } from 'commander'
import type { Config } from '../../process/config'
import type { Work } from '../../base/work'
import { purgeTenant } from '../../operations/purge'
import { lossOfTenant } from '../../operations/loss'
import { attach, detach } from '../../operations/managed'
import { finishRemoval, removeTenant } from '../../operations/remove-tenant'
import type { Store } from '../../store/store'
import { assertTenantId } from '../../mail/identities'
import { tenantExists, TenantRegistry } from '../../registry/tenant-registry'
import { askFirst } from '../kit/ask-first'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { longWork } from '../kit/long-work'
import { groupManual, manual } from '../kit/manual'
import { count } from '../../base/count'
import type { Cell } from '../kit/output'
import { shortTime } from '../../base/time'
import { lossLines } from '../views/loss'
import { ownOr } from '../views/phrases'
import { NO_TENANT } from '../kit/statuses'
import { StatusReader } from '../../operations/status'
import { settingsOf } from '../../operations/tenant-settings'
import { addTenant, existingTenant, summarize, type TenantSummary } from '../../operations/tenants'
import { COMMAND_TIMEOUT } from '../kit/store'
import {
  byText,
  filtered,
  noTenants,
  ordered,
  withChoice,
  type Choice,
  type Orders,
} from '../kit/tenant-choice'
import { KEPT, limitsFacts, TENANT_DONE, tenantView, type TenantView } from '../views/tenant'
import { TEMPORARY_FIELDS } from '../views/temporary'
import { addSet } from './tenant-set'
import {
  checkForwards,
  IDLE_FORWARDS,
  warnOfContact,
  withSettings,
  type SettingsOptions,
} from './tenant-settings'

const VIEW_FIELDS = [
  'tenant (also as id), name, source (who registered it; file:ID for a tenants file, detached:file:ID), created_at',
  'mode, limits, null_limits: its own; null where the default counts',
  'forwarded_limits: its allowance for proven forwards; null: forwards count as unregistered mail',
  'contact: mail address that gets its alerts, or null',
  'domains, connectors: how many; restricted: true or false',
  'probation: null, or {limits, until, case}: the allowance that applies after a lift',
  ...TEMPORARY_FIELDS,
]

/** `tenantctl tenant add | set | show | list | detach | remove` */
export function add(program: Command, io: Io): void {
  const tenant = program
    .command('tenant')
    .description('tenants: the organisations that relay through this server')
  groupManual(tenant, [
    'tenant add contoso --name "Contoso Ltd"',
    'tenant set contoso --limits "50/1h, 300/1d"',
    'tenant show contoso',
    'tenant list',
    'tenant detach contoso',
    'tenant remove contoso',
  ])
  addAdd(tenant, io)
  addSet(tenant, io)
  addShow(tenant, io)
  addList(tenant, io)
  addDetach(tenant, io)
  addRemove(tenant, io)
}

function addAdd(tenant: Command, io: Io): void {
  const command = withSettings(tenant.command('add'))
    .description('register a tenant')
    .argument('<id>', 'lower-case letters, digits, . _ - (at most 63)')
    .action(async (id: string, options: SettingsOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const settings = settingsOf(options)
      checkForwards(context, settings, options.force)
      await context.writing(async (store) => {
        const result = await addTenant(store, id, settings, by)
        await warnOfContact(context, store, id, settings)
        out.result({ result, tenant: id }, () => out.line(TENANT_DONE.add(id, result)))
      })
    })
  manual(command, {
    examples: [
      'tenant add contoso --name "Contoso Ltd"',
      'tenant add contoso --limits "100/1h, 500/1d" --mode monitor',
      'tenant add contoso --limits "200/10m defer, 1500/1d"',
    ],
    json: ['result: added | unchanged', 'tenant: its id'],
    exit: { 4: `it exists with other settings (change them with tenant set); or ${IDLE_FORWARDS}` },
  })
}

function addShow(tenant: Command, io: Io): void {
  const command = tenant
    .command('show')
    .description('show one tenant')
    .argument('<tenant>')
    .action(async (id: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store, config) => {
        const tenant = await existingTenant(store, id)
        const [summary] = await summarize(store, [tenant])
        const view = tenantView(summary!)
        out.result(view, () => {
          out.facts([
            ['tenant', id],
            ['name', tenant.name],
            ['mode', ownOr(tenant.mode, config.main.mode)],
            ...limitsFacts(summary!, config),
            ['contact', tenant.contact ?? 'none'],
            ['domains', String(view.domains)],
            ['connectors', String(view.connectors)],
            ['restricted', restrictedCell(view)],
            ...probationFacts(view),
            ['registered', `${shortTime(tenant.createdAt)} by ${tenant.source}`],
          ])
        })
      })
    })
  manual(command, {
    examples: ['tenant show contoso', 'tenant show contoso --json'],
    json: VIEW_FIELDS,
    exit: NO_TENANT,
  })
}

const ORDERS = {
  // The order in which they are read.
  tenant: () => 0,
  name: (a, b) => byText(a.tenant.name, b.tenant.name),
  domains: (a, b) => b.domains - a.domains,
  connectors: (a, b) => b.connectors - a.connectors,
  created: (a, b) => b.tenant.createdAt - a.tenant.createdAt,
} as const satisfies Orders<string, TenantSummary>

type ListChoice = Choice<keyof typeof ORDERS>

function addList(tenant: Command, io: Io): void {
  const command = tenant
    .command('list')
    .description('list all tenants')
    .action(async (choice: ListChoice, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store, config) => {
        const views = (await chosen(store, config, choice)).map(tenantView)
        out.result(views, () => {
          out.table(
            ['TENANT', 'NAME', 'MODE', 'LIMITS', 'DOMAINS', 'CONNECTORS', 'RESTRICTED'],
            views.map((view) => [
              view.id,
              view.name,
              view.mode ?? 'default',
              view.limits ?? 'default',
              { text: String(view.domains), right: true },
              { text: String(view.connectors), right: true },
              restrictedCell(view),
            ]),
            noTenants(choice),
          )
        })
      })
    })
  withChoice(command, ORDERS)
  manual(command, {
    examples: [
      'tenant list',
      'tenant list --filter contoso --sort domains',
      "tenant list --json | jq -r '.[] | select(.restricted) | .tenant'",
    ],
    json: ['an array of:', ...VIEW_FIELDS],
  })
}

async function chosen(store: Store, config: Config, choice: ListChoice): Promise<TenantSummary[]> {
  let tenants = filtered(await new TenantRegistry(store).list(), choice)
  if (choice.near) {
    const near = await new StatusReader(store, config, COMMAND_TIMEOUT).near(tenants)
    tenants = tenants.filter((tenant) => near.has(tenant))
  }
  const summaries = await summarize(store, tenants)
  return ordered(
    summaries.filter(({ restricted }) => restricted || !choice.restricted),
    ORDERS,
    choice,
  )
}

function addDetach(tenant: Command, io: Io): void {
  const command = tenant
    .command('detach')
    .description('let a tenants file neither change nor prune a tenant that came from it')
    .argument('<tenant>')
    .option('--undo', 'let the file manage it again')
    .action(async (id: string, { undo }: { undo?: boolean }, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.writing(async (store) => {
        const { file, result } = await (undo ? attach : detach)(store, id)
        const is = undo ? `${file} manages tenant ${id}` : `tenant ${id} is detached from ${file}`
        out.result({ result, tenant: id, file, detached: undo !== true }, () =>
          out.line(`${is}${result === 'unchanged' ? ' already' : ''}`),
        )
      })
    })
  manual(command, {
    examples: ['tenant detach contoso', 'tenant detach contoso --undo'],
    json: [
      'result: changed | unchanged',
      'tenant: its id',
      'file: file:ID',
      'detached: true or false',
    ],
    exit: { ...NO_TENANT, 4: 'it comes from no tenants file' },
  })
}

function addRemove(tenant: Command, io: Io): void {
  const command = tenant
    .command('remove')
    .description('remove a tenant with its accepted domains, connectors and usage')
    .argument('<tenant>')
    .option('--purge', 'also erase its reports, cases, events and audit trail')
    .option('--yes', 'do not ask')
    .action(async (id: string, options: { purge?: boolean; yes?: boolean }, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      await context.writing(async (store) => {
        const purge = options.purge === true
        if (!(await mayRemove(context, store, id, { purge, yes: options.yes === true }))) return
        const sentence = await longWork(io, 'freeing domains', (work) =>
          removed(store, id, by, purge, work),
        )
        if (purge) await purgeTenant(store, id)
        out.result({ result: sentence ? 'removed' : 'purged', tenant: id, purged: purge }, () => {
          if (sentence) out.line(sentence)
          out.line(purge ? `erased what was kept of ${id}` : KEPT)
        })
      })
    })
  manual(command, {
    examples: ['tenant remove contoso', 'tenant remove contoso --purge'],
    json: [
      'result: removed | purged (it was removed before)',
      'tenant: its id; purged: true or false',
    ],
    exit: {
      ...NO_TENANT,
      4: 'it is restricted (unblock it first)',
      130: 'stopped by Ctrl-C or SIGTERM; nothing was removed',
    },
  })
}

/** Asks whether to remove a tenant, if it is there: a removal that was interrupted is completed without a question. */
async function mayRemove(
  context: Context,
  store: Store,
  id: string,
  { purge, yes }: { readonly purge: boolean; readonly yes: boolean },
): Promise<boolean> {
  const isThere = await tenantExists(store, id)
  if (!isThere && !purge) return true
  const erased = `${isThere ? ', and erase' : 'Erase'} its reports, cases, events and audit trail`
  const isConfirmed = await askFirst(context, {
    yes,
    lines: async () => (isThere ? lossLines(await lossOfTenant(store, id)) : []),
    question: `${isThere ? `Remove tenant ${id}` : ''}${purge ? erased : ''}?`,
  })
  if (!isConfirmed) context.note('nothing was removed')
  return isConfirmed
}

/**
 * @returns a text for people; `undefined`: the tenant was removed before.
 * @throws {NotFoundError} there is none, and nothing is left of one.
 */
async function removed(
  store: Store,
  id: string,
  by: string,
  purging: boolean,
  work: Work,
): Promise<string | undefined> {
  assertTenantId(id)
  if (purging && (await finishRemoval(store, id))) return undefined
  const tenant = await new TenantRegistry(store).get(id)
  const [summary] = tenant ? await summarize(store, [tenant]) : []
  await removeTenant(store, id, by, work)
  if (!summary) return `completed the removal of tenant ${id}, which was interrupted`
  return `removed tenant ${id} with ${count(summary.domains, 'domain')} and ${count(summary.connectors, 'connector')}`
}

function probationFacts({ probation }: TenantView): [string, Cell][] {
  if (!probation) return []
  const text = `${probation.limits} until ${probation.until.slice(0, 19)}Z`
  return [['probation', { text, tone: 'warn' }]]
}

function restrictedCell({ restricted }: TenantView): Cell {
  return restricted ? { text: 'yes', tone: 'bad' } : 'no'
}
