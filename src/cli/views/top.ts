import { shareOf } from '../../allowance/usage'
import { isoTime, shortTime } from '../../base/time'
import { pauseLine } from '../../enforcement/words'
import { formatWindow } from '../../mail/limits'
import { connectorName } from '../../mail/identities'
import { RESTRICTING, USUAL_METER } from '../../mail/meters'
import { firstForecastOf, type TenantStatus } from '../../operations/status'
import type { SourcesNow, State, TenantNow, Top, TopTenant } from '../../operations/top'
import type { Share } from '../../reporting/shares'
import type { Source } from '../../reporting/rows'
import { brief, duration, outside, type Cell, type Output, type Tone } from '../kit/output'
import { percent } from './counts'
import { pauseView } from './pause'
import { printShares, SENDERS, shareView } from './shares'
import { statusView } from './status'

/** What comes first must not be missing: on a narrow terminal the last ones are left out. */
const COLUMNS = [
  ...['TENANT', 'STATE', 'UNREG/MIN', 'REFUSED/MIN', 'USED', 'RESTRICTED IN'],
  ...['TOP DOMAIN', 'CONNECTOR'],
]
const KINDS: readonly (keyof Source)[] = ['connector', ...SENDERS]
/** Lines of a table of shares that are no rows: a blank one, the titles, and how many more there are. */
const AROUND_SHARES = 3

const STATES: Readonly<Record<State, { readonly text: string; readonly tone?: Tone }>> = {
  restricted: { text: 'restricted', tone: 'bad' },
  probation: { text: 'probation', tone: 'warn' },
  near_limit: { text: 'near limit', tone: 'warn' },
  ok: { text: 'ok' },
}

/** How old the figures are. */
export const AGE_OF_FIGURES =
  'USED is exact; recipients a minute and sources are up to 5 s late: the flush'

/** As JSON. */
export function topView({ at, pause, restricted, active, notShown, tenants }: Top): object {
  return {
    at: isoTime(at),
    paused: pauseView(pause),
    restricted,
    active,
    not_shown: notShown,
    tenants: tenants.map(({ status, state, pace, domain }) => {
      const { tenant, ...rest } = statusView(status)
      return {
        tenant,
        state,
        unregistered_per_minute: Math.round(pace.unregistered),
        refused_per_minute: Math.round(pace.refused),
        top_domain: domain ? shareView(domain) : null,
        connector: pace.connector ?? null,
        ...rest,
      }
    }),
  }
}

/**
 * The first lines: whether enforcement is paused, then such as `2 restricted, 12 active in the last 5 minutes, 4 not shown`
 * with the time.
 */
export function summaryOf({
  at,
  pause,
  ...numbers
}: Top): (readonly [text: string, tone?: Tone])[] {
  const paused = pauseLine(pause)
  const [restricted, active, notShown] = [numbers.restricted, numbers.active, numbers.notShown].map(
    (number) => number.toLocaleString('en-US'),
  )
  const hidden = numbers.notShown > 0 ? `, ${notShown} not shown` : ''
  const text = `${restricted} restricted, ${active} active in the last 5 minutes${hidden}`
  return [...(paused ? [[paused, 'warn'] as const] : []), [`${text}  ${shortTime(at)}`]]
}

/** @param selected the id of the tenant that is marked. */
export function printTop(out: Output, tenants: readonly TopTenant[], selected?: string): void {
  out.rows(
    COLUMNS,
    tenants.map((each): Cell[] => {
      const { status, pace, domain } = each
      const { id } = status.tenant
      const mark = selected === undefined ? '' : id === selected ? '> ' : '  '
      return [
        { text: mark + id, fit: 'cut' },
        stateCell(each),
        perMinute(pace.unregistered),
        { ...perMinute(pace.refused), ...(pace.refused > 0 && { tone: 'bad' }) },
        { text: usedOf(status), fit: 'whole' },
        { text: restrictedIn(status), tone: 'warn' },
        domain ? domainCell(domain) : '',
        pace.connector === undefined ? '' : outside(connectorName(pace.connector)),
      ]
    }),
    'no tenant has sent unregistered mail in the last 5 minutes',
  )
}

/**
 * The sources of a tenant.
 *
 * @param rows lines that they may take.
 */
export function printSources(out: Output, now: SourcesNow, rows: number): void {
  const { status, pace, shares, since } = now
  out.facts([
    ['tenant', brief(status.tenant.name)],
    ['state', stateCell(now)],
    ['a minute', `${rounded(pace.unregistered)} unregistered, ${rounded(pace.refused)} refused`],
    ['used', usedOf(status)],
    ['restricted in', { text: restrictedIn(status) || '-', tone: 'warn' }],
    ['sources since', shortTime(since)],
  ])
  const facts = 6
  const most = Math.floor((rows - facts) / KINDS.length) - AROUND_SHARES
  printShares(out, shares, KINDS, Math.max(1, most))
}

/** In monitor nothing is refused. */
function stateCell({ status: { mode }, state }: TenantNow): Cell {
  const { text, ...how } = STATES[state]
  if (mode === 'enforce') return { text, ...how }
  return { ...how, text: state === 'ok' ? mode : `${text} (${mode})` }
}

/** `1h  98 %, 1d  20 %`; of meters other than the usual one, those with use. */
export function usedOf({ usage }: TenantStatus): string {
  const windows = RESTRICTING.flatMap((meter) =>
    (usage[meter] ?? [])
      .filter(({ used }) => meter === USUAL_METER || used > 0)
      .map((each) => {
        const share = String(Math.floor(shareOf(each) * 100)).padStart(3)
        const of = meter === USUAL_METER ? '' : `${meter} `
        return `${of}${formatWindow(each.window)} ${share} %`
      }),
  )
  return windows.join(', ') || 'unlimited'
}

/** `38m`; `next`: by its next recipient. */
export function restrictedIn(status: TenantStatus): string {
  const forecast = firstForecastOf(status)
  if (!forecast) return ''
  const left = forecast.at - status.usage.at
  return left > 0 ? duration(left) : 'next'
}

function domainCell({ value, share }: Share): Cell {
  return { text: `${brief(value) || '(none)'} ${percent(share)}`, fit: 'cut' }
}

function perMinute(recipients: number): Exclude<Cell, string> {
  return { text: rounded(recipients), right: true }
}

function rounded(recipients: number): string {
  return Math.round(recipients).toLocaleString('en-US')
}
