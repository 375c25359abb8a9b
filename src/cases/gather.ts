import { modeInEffect } from '../mail/mode'
import { modeFacts } from '../allowance/restriction'
import { hostname } from 'node:os'
import { formatLimits } from '../mail/limits'
import { defaultLimits, type Defaults, type Ledger } from '../allowance/ledger'
import type { Tenant } from '../mail/tenant'
import type { Usage, WindowUsage } from '../allowance/usage'
import { readTenantAudit } from '../audit/reader'
import type { AllowanceSettings } from '../allowance/settings'
import type { RestrictedEvent } from '../records/event'
import { DAY } from '../reporting/calendar'
import { readForeign } from '../reporting/foreign'
import { readHeaderFroms, type HeaderFrom } from '../reporting/header-from'
import { defaultsOf } from '../allowance/defaults'
import { ReportReader, type DatedRow, type DatedSample } from '../reporting/reader'
import { LOOKED_CLASSES, lookedKey, SOURCE_CLASSES, type LookedKey } from '../mail/classes'
import { METER_NAMES, METERS, USUAL_METER } from '../mail/meters'
import type { Source } from '../reporting/rows'
import { byRecipients, sumBy, type Sum } from '../reporting/sum'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { TenantRegistry } from '../registry/tenant-registry'
import { readMinutes } from './minutes'
import { LONGEST_TEXT, type DomainSum, type Evidence, type EvidenceMeters } from './evidence'

/** Most sources of each kind. */
const MOST_OF_TOP = 20
const MOST_SAMPLES = 50
const MOST_CHANGES = 50
const CHANGES_DAYS = 30

/** What {@link gatherEvidence} needs. */
export interface Gathering {
  readonly store: Store
  readonly ledger: Ledger
  readonly config: AllowanceSettings
}

/**
 * Reads the evidence of a case; `undefined`: the tenant does not exist. Writes nothing.
 *
 * @throws what ioredis throws.
 */
export async function gatherEvidence(
  { store, ledger, config }: Gathering,
  tenant: string,
  event: RestrictedEvent,
): Promise<Evidence | undefined> {
  const defaults = defaultsOf(config)
  const [registered, usage] = await Promise.all([
    new TenantRegistry(store).get(tenant),
    ledger.usage(tenant, defaults),
  ])
  if (!registered || !usage) return undefined
  const reader = new ReportReader(store)
  const now = await serverTime(store.client)
  const span = [tenant, event.at - DAY, Math.max(now, event.at) + 1] as const
  const hours = await reader.hours(...span)
  const rows = await reader.rows(...span, 'hour')
  const samples = await reader.samples(...span)
  const foreign = await readForeign(reader, ...span)
  const looked: [LookedKey, HeaderFrom][] = []
  for (const each of LOOKED_CLASSES) {
    looked.push([lookedKey(each), shortened(await readHeaderFroms(reader, ...span, each))])
  }
  const changes = await readTenantAudit(store, tenant, event.at - CHANGES_DAYS * DAY)
  return {
    version: 2,
    tenant,
    case: event.case,
    event: cut(event),
    frozenAt: now,
    node: { host: hostname(), pid: process.pid },
    mode: modeInEffect(config.main, modeFacts(registered.mode, event)),
    limitsFrom: limitsFrom(registered, usage),
    ...metersOf(registered, usage, defaults),
    hours,
    top: {
      domain: topDomains(rows),
      connector: top(rows, 'connector'),
      ip: top(rows, 'ip'),
      user: top(rows, 'user'),
    },
    otherDomains: await reader.others(...span, 'hour'),
    foreign: foreign.slice(0, MOST_OF_TOP),
    ...(Object.fromEntries(looked) as Record<LookedKey, HeaderFrom>),
    ...(await readMinutes(reader, tenant, event.at, now)),
    samples: newest(samples),
    changes: changes.slice(-MOST_CHANGES).reverse().map(cut),
  }
}

/** The windows and limits of each meter; of a meter that probation lowers, the limits in effect. */
function metersOf(tenant: Tenant, usage: Usage, defaults: Defaults): EvidenceMeters {
  const found = METER_NAMES.flatMap((meter) => {
    const windows = usage[meter]
    if (!windows) return []
    const { limitsField, onProbation } = METERS[meter]
    const own =
      usage.temporary[meter]?.limits ?? tenant[limitsField] ?? defaultLimits(defaults, meter)
    return [
      [limitsField, onProbation ? limitsOf(windows) : own],
      [meter, windows],
    ]
  })
  return Object.fromEntries(found) as EvidenceMeters
}

/** Where the limits of the usual meter come from. */
function limitsFrom(tenant: Tenant, { probation, temporary }: Usage): Evidence['limitsFrom'] {
  if (probation) return 'probation'
  if (temporary[USUAL_METER]) return 'temporary'
  return tenant.limits ? 'tenant' : 'default'
}

function topDomains(rows: readonly DatedRow[]): DomainSum[] {
  return SOURCE_CLASSES.flatMap((each) =>
    sumBy(
      rows.filter((row) => row.class === each),
      'domain',
    ).map((sum) => ({ class: each, ...sum })),
  )
    .sort(byRecipients)
    .slice(0, MOST_OF_TOP)
}

function shortened(headerFrom: HeaderFrom): HeaderFrom {
  return { ...headerFrom, domains: headerFrom.domains.slice(0, MOST_OF_TOP) }
}

function top(rows: readonly DatedRow[], key: keyof Source): Sum<string>[] {
  return sumBy(rows, key).slice(0, MOST_OF_TOP)
}

function limitsOf(windows: readonly WindowUsage[]): string {
  return formatLimits(windows.map(({ limit, ...window }) => ({ ...window, count: limit })))
}

/** The newest samples; a source has few a day. */
function newest(samples: readonly DatedSample[]): DatedSample[] {
  return samples.toReversed().slice(0, MOST_SAMPLES)
}

/** Cuts long texts. */
function cut<T extends object>(record: T): T {
  const entries = Object.entries(record).map(([key, value]: [string, unknown]) => [
    key,
    typeof value === 'string' ? value.slice(0, LONGEST_TEXT) : value,
  ])
  return Object.fromEntries(entries) as T
}
