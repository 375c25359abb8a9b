import { defaultsOf } from '../../allowance/defaults'
import { defaultLimits } from '../../allowance/ledger'
import { isoTime } from '../../base/time'
import { describeTemporary } from '../../mail/temporary'
import type { Config } from '../../process/config'
import type { Cell } from '../kit/output'
import { NO_EFFECT, ownOr } from './phrases'
import { METER_NAMES, METERS, separated, USUAL_METER } from '../../mail/meters'
import type { TenantSummary } from '../../operations/tenants'
import { temporaryView } from './temporary'
import { probationView, type ProbationView } from './status'

/** A tenant as `tenant show` and `tenant list` print it. */
export interface TenantView {
  readonly tenant: string
  /** The same: its name until now. */
  readonly id: string
  readonly name: string
  /** `null`: the default applies. */
  readonly mode: string | null
  /** The same for the usual meter; the others are `null_limits` and so on. */
  readonly limits: string | null
  /** `null`: none */
  readonly contact: string | null
  readonly source: string
  /** ISO 8601 UTC */
  readonly created_at: string
  readonly domains: number
  readonly connectors: number
  readonly restricted: boolean
  readonly probation: ProbationView | null
}

export function tenantView(summary: TenantSummary): TenantView {
  const { tenant, domains, connectors, restricted, probation, temporary } = summary
  return {
    tenant: tenant.id,
    id: tenant.id,
    name: tenant.name,
    mode: tenant.mode ?? null,
    limits: tenant[METERS[USUAL_METER].limitsField] ?? null,
    ...Object.fromEntries(
      METER_NAMES.map((meter) => METERS[meter].limitsField).map((field) => [
        separated(field, '_'),
        tenant[field] ?? null,
      ]),
    ),
    contact: tenant.contact ?? null,
    source: tenant.source,
    created_at: isoTime(tenant.createdAt),
    domains,
    connectors,
    restricted,
    probation: probation ? probationView(probation) : null,
    ...temporaryView(temporary),
  }
}

/** The allowances of each meter, for people. */
export function limitsFacts(
  { tenant, temporary }: Pick<TenantSummary, 'tenant' | 'temporary'>,
  config: Config,
): [string, Cell][] {
  const defaults = defaultsOf(config)
  return METER_NAMES.map((meter) => {
    const { limitsField, words } = METERS[meter]
    const fallback = defaultLimits(defaults, meter)
    const own = tenant[limitsField]
    const text = fallback === '' ? (own ?? words.none) : ownOr(own, fallback)
    const now = temporary[meter]
    const inForce = now ? describeTemporary(now, text) : text
    const isIdle = own !== undefined && METERS[meter].proven && !config.forwarded.enabled
    return [
      separated(limitsField, ' '),
      now || isIdle ? { text: isIdle ? `${inForce}; ${NO_EFFECT}` : inForce, tone: 'warn' } : text,
    ]
  })
}

/** What was done to a tenant, in a line, by the result of the operation. */
export const TENANT_DONE = {
  add: (id, result) =>
    result === 'added' ? `added tenant ${id}` : `tenant ${id} is there already`,
  set: (id, result) =>
    result === 'changed' ? `changed tenant ${id}` : `tenant ${id} has these settings already`,
} as const satisfies Readonly<Record<string, (id: string, result: string) => string>>

/** What is left of a tenant that was removed. */
export const KEPT =
  'its reports, cases and audit trail are kept until they expire; to erase them: --purge'
