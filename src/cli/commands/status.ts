import type { Command } from 'commander'
import { formatWindow } from '../../mail/limits'
import {
  METER_NAMES,
  METERS,
  PROVEN_METER,
  RESTRICTING_FIRST,
  USUAL_METER,
} from '../../mail/meters'
import { shareOf, type WindowUsage } from '../../allowance/usage'
import { InputError } from '../../base/errors'
import type { Config } from '../../process/config'
import type { Store } from '../../store/store'
import { TenantRegistry } from '../../registry/tenant-registry'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { inEffect } from '../kit/paused'
import { duration, toCopy, type Cell, type Output, type Tone } from '../kit/output'
import { tenantctl } from '../../base/command-line'
import { shortTime } from '../../base/time'
import { describeTrigger } from '../../mail/trigger'
import { NO_TENANT } from '../kit/statuses'
import {
  byText,
  filtered,
  noTenants,
  ordered,
  withChoice,
  type Choice,
  type Orders,
} from '../kit/tenant-choice'
import {
  firstForecastOf,
  fullestWindow,
  MUCH,
  StatusReader,
  type FullStatus,
  type TenantStatus,
} from '../../operations/status'
import { COMMAND_TIMEOUT } from '../kit/store'
import { NO_EFFECT } from '../views/phrases'
import { statusView } from '../views/status'
import { forecastLines, refusedWords, restrictedIn } from '../views/status-words'
import { TEMPORARY_FIELDS, temporaryFacts } from '../views/temporary'
import { existingTenant } from '../../operations/tenants'

const TENTH = 'a tenth of its limits, and one recipient a message, until then'
const BAR = 20

const FIELDS = [
  'tenant, mode (the one in force: enforce | monitor | off)',
  'restricted: true or false',
  'restriction: null, or {since, by, reason, scope: unregistered | all,',
  '  trigger: null or {window, limit, used, domain, connector, ip},',
  '  case: tenant:number; null where the restriction is older than cases}',
  'windows: the meter of unregistered mail, [] when unlimited; each',
  '  {window: such as 1h, limit, defer: 4xx instead of a restriction, used, remaining}',
  'null: the same for the null sender; while the tenant is restricted, by a tenth of its limits',
  'forwarded: the same for proven forwards; null where it has no allowance for them',
  'held: recipients of messages that are on their way and may be forwards',
  'forecast: null, or {window, limit, at, seconds}: when it is restricted if unregistered',
  '  mail goes on at the pace of the last ten minutes, seconds 0: by the next recipient;',
  '  in monitor, when it would be; null too below a tenth of each limit',
  'forwarded_forecast: the same for proven forwards',
  'probation: null, or {limits, until, case}: the allowance that applies after a lift',
  ...TEMPORARY_FIELDS,
]

const ORDERS = {
  // The order in which they are read.
  usage: () => 0,
  pace: (a, b) => restrictedAt(a) - restrictedAt(b),
  tenant: (a, b) => byText(a.tenant.id, b.tenant.id),
  name: (a, b) => byText(a.tenant.name, b.tenant.name),
} as const satisfies Orders<string, TenantStatus>

type StatusChoice = Choice<keyof typeof ORDERS>

/** `tenantctl status [TENANT]` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('status')
    .description('the meters: of all tenants, those nearest a limit first, or of one in full')
    .argument('[tenant]')
    .action(async (id: string | undefined, choice: StatusChoice, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      if (id !== undefined) assertNoChoice(choice)
      await context.connected(async (store, ofFile) => {
        const config = await inEffect(store, ofFile, out)
        const reader = new StatusReader(store, config, COMMAND_TIMEOUT)
        if (id === undefined) {
          const statuses = await chosen(store, reader, choice)
          out.result(statuses.map(statusView), () => printAll(out, statuses, choice))
        } else {
          const status = await reader.one(await existingTenant(store, id))
          out.result(statusView(status), () => printOne(out, status, config))
        }
      })
    })
  withChoice(command, ORDERS)
  manual(command, {
    examples: [
      'status',
      'status --near --sort pace',
      'status contoso',
      "status contoso --json | jq '.windows[] | {window, used, limit}'",
    ],
    json: ['with TENANT an object, else an array of:', ...FIELDS],
    exit: NO_TENANT,
  })
}

/** @throws {InputError} */
function assertNoChoice({ filter, restricted, near, limit }: StatusChoice): void {
  if ((filter ?? restricted ?? near ?? limit) === undefined) return
  throw new InputError(
    '--filter, --restricted, --near and --limit choose among all tenants: give them without TENANT',
  )
}

async function chosen(
  store: Store,
  reader: StatusReader,
  choice: StatusChoice,
): Promise<TenantStatus[]> {
  const tenants = filtered(await new TenantRegistry(store).list(), choice)
  const statuses = (await reader.all(tenants)).filter(
    (status) =>
      (!choice.restricted || status.restriction) && (!choice.near || reader.isNear(status)),
  )
  return ordered(statuses, ORDERS, choice)
}

/** ms since the epoch; a day that never comes for a tenant that will not be at this pace. */
function restrictedAt(status: TenantStatus): number {
  return firstForecastOf(status)?.at ?? Number.MAX_SAFE_INTEGER
}

function printAll(out: Output, statuses: readonly TenantStatus[], choice: StatusChoice): void {
  out.table(
    ['TENANT', 'MODE', 'RESTRICTED', 'METER', 'WINDOW', 'USED', 'LIMIT', 'PERCENT', 'AT THIS PACE'],
    statuses.map((status) => {
      const fullest = fullestWindow(status)
      const forecast = firstForecastOf(status)
      return [
        status.tenant.id,
        status.mode,
        status.restriction ? { text: status.restriction.scope, tone: 'bad' as const } : 'no',
        ...(fullest
          ? [fullest.meter, formatWindow(fullest.usage.window), ...numbers(fullest.usage)]
          : [USUAL_METER, 'unlimited', '', '', '']),
        { text: forecast ? restrictedIn(status, forecast) : '', tone: 'warn' as const },
      ]
    }),
    noTenants(choice),
  )
}

function printOne(out: Output, status: FullStatus, { forwarded }: Config): void {
  const { tenant, restriction, usage, lifted } = status
  const { wouldTrip } = usage
  const facts: [string, Cell][] = [
    ['tenant', tenant.name === tenant.id ? tenant.id : `${tenant.id}  ${tenant.name}`],
    ['mode', `${status.mode}${status.modeSource}`],
  ]
  if (!restriction) {
    facts.push(['restricted', { text: 'no', tone: 'good' }])
  } else {
    facts.push(
      [
        'restricted',
        { text: `since ${shortTime(restriction.since)}: ${refusedWords(status)}`, tone: 'bad' },
      ],
      ['by', restriction.by],
      ['reason', restriction.reason],
    )
    if (restriction.trigger) facts.push(['trigger', describeTrigger(restriction.trigger)])
    if (restriction.case) {
      facts.push([
        'case',
        toCopy(`${restriction.case}: ${tenantctl('incident', restriction.case)}`),
      ])
    }
    facts.push(['to lift it', toCopy(`${tenantctl('unblock', tenant.id)} --reason TEXT`)])
    if (restriction.scope !== 'all' && status.mode === 'enforce') {
      for (const meter of METER_NAMES) {
        const { whileRestricted, words } = METERS[meter]
        if (whileRestricted === 'tenth') facts.push([words.name, TENTH])
      }
    }
  }
  facts.push(...temporaryFacts(usage.temporary))
  if (usage.probation) {
    const { limits, until } = usage.probation
    facts.push(['probation', { text: `${limits} until ${shortTime(until)}`, tone: 'warn' }])
  }
  if (wouldTrip) {
    facts.push([
      'would trip',
      { text: `at ${shortTime(wouldTrip.since)}: ${describeTrigger(wouldTrip)}`, tone: 'warn' },
    ])
  }
  if (usage.held > 0) {
    facts.push(['on their way', `${usage.held} recipients of messages that may be forwards`])
  }
  if (usage[PROVEN_METER] && !forwarded.enabled) {
    facts.push([METERS[PROVEN_METER].words.name, { text: NO_EFFECT, tone: 'warn' }])
  }
  for (const line of forecastLines(status)) {
    facts.push(['at this pace', { text: line, tone: 'warn' }])
  }
  if (lifted) {
    facts.push(['last lifted', `${shortTime(lifted.at)} by ${lifted.by}: ${lifted.reason}`])
  }
  out.facts(facts)
  out.line()
  out.table(
    ['METER', 'WINDOW', 'USAGE', 'USED', 'LIMIT', 'PERCENT', 'FREES UP'],
    RESTRICTING_FIRST.flatMap((meter) => {
      const windows = usage[meter]
      return windows ? meterRows(meter, windows, usage.at) : []
    }),
    '',
  )
}

function meterRows(meter: string, windows: readonly WindowUsage[], at: number): Cell[][] {
  if (windows.length === 0) return [[meter, 'unlimited', '', '', '', '', '']]
  return windows.map((each) => [
    meter,
    `${formatWindow(each.window)}${each.defer ? ' defer' : ''}`,
    { text: bar(shareOf(each)), ...toneOf(each) },
    ...numbers(each),
    each.freesAt === undefined ? '' : `in ${duration(Math.max(0, each.freesAt - at))}`,
  ])
}

function numbers(each: WindowUsage): Cell[] {
  return [
    { text: String(each.used), right: true },
    { text: String(each.limit), right: true },
    { text: `${Math.floor(shareOf(each) * 100)} %`, right: true, ...toneOf(each) },
  ]
}

function toneOf(each: WindowUsage): { tone?: Tone } {
  const share = shareOf(each)
  if (share >= 1) return { tone: 'bad' }
  return share >= MUCH ? { tone: 'warn' } : {}
}

function bar(share: number): string {
  const filled = Math.min(BAR, share > 0 ? Math.max(1, Math.floor(share * BAR)) : 0)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`
}
