import { tenantctl } from '../../base/command-line'
import { shortTime } from '../../base/time'
import { duration } from '../../cli/kit/output'
import { formatWindow } from '../../mail/limits'
import { METER_NAMES, METERS, RESTRICTING_FIRST, type Meter } from '../../mail/meters'
import type { Tenant } from '../../mail/tenant'
import type { FullStatus } from '../../operations/status'
import { LIMITS_FIELDS } from '../../operations/tenant-settings'
import { form } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page } from '../kit/page'
import { heading, table, type Cell } from '../kit/parts'
import { limitsField } from './settings-fields'
import { percent, tenantHeader } from './tenant-header'

/** How full the windows of a tenant are, and limits for some time. */
export const ALLOWANCE: Page = {
  path: '/tenants/:tenant',
  least: 'viewer',
  async show(visit) {
    const { tenant, status, live, tabs } = await tenantHeader(visit, '')
    const shown = {
      title: tenant.name,
      live: html`${live} ${tabs} ${heading(visit, 'allowance')} ${windowsTable(status)}`,
    }
    if (visit.isPoll) return { ...shown, rest: NOTHING }
    const fields = LIMITS_FIELDS.filter((field) =>
      metersOf(tenant).some((meter) => METERS[meter].limitsField === field),
    )
    const sooner = form(visit, {
      to: ['tenants', tenant.id, 'limits'],
      button: 'Set these limits for some time',
      fields: [
        ...fields.map((field) =>
          limitsField(field, { hint: 'such as 500/1h, 3000/1d; empty: as it is' }),
        ),
        {
          ...{ kind: 'text', name: 'for', label: 'For how long', required: true },
          hint: '1m to 90d, such as 3d; then the usual limits apply again by themselves',
        },
      ],
      command: `${tenantctl('tenant', 'set', tenant.id)} --limits LIST --for TIME`,
      seen: status.usage.at,
    })
    return {
      ...shown,
      rest: html`${visit.writing ? heading(visit, 'limitsForSomeTime') : NOTHING} ${sooner}`,
    }
  },
}

function windowsTable(status: FullStatus): Html {
  const { usage } = status
  const rows = RESTRICTING_FIRST.flatMap((meter): Cell[][] => {
    const [name, whose] = [METERS[meter].words.name, whoseLimits(status, meter)]
    if (usage[meter]?.length === 0) return [[name, 'unlimited', '', '', '', '', whose]]
    return (usage[meter] ?? []).map((each) => [
      ...[name, `${formatWindow(each.window)}${each.defer ? ' defer' : ''}`],
      ...[each.used, each.limit, percent(each)],
      each.freesAt === undefined ? '' : `in ${duration(Math.max(0, each.freesAt - usage.at))}`,
      whose,
    ])
  })
  const numbers = ['Used', 'Limit', 'Percent'].map((title) => ({ title, isNumber: true }))
  const columns = ['Meter', 'Window', ...numbers, 'Frees up', 'Limits']
  return table('Recipients in each window', columns, rows, 'All meters are unlimited.')
}

/** Whose limits are in effect on a meter. */
function whoseLimits({ tenant, mode, restriction, usage }: FullStatus, meter: Meter): string {
  const { whileRestricted, onProbation, limitsField: field } = METERS[meter]
  const until = usage.temporary[meter]?.until
  const own = until ? `until ${shortTime(until)}` : tenant[field] ? 'its own' : 'default'
  if (
    whileRestricted === 'tenth' &&
    restriction &&
    restriction.scope !== 'all' &&
    mode === 'enforce'
  ) {
    return `a tenth of the limits (${own}), while it is restricted`
  }
  const { probation } = usage
  return onProbation && probation ? `probation until ${shortTime(probation.until)}` : own
}

/** The meters that a tenant has. */
function metersOf(tenant: Tenant): Meter[] {
  return METER_NAMES.filter((meter) => METERS[meter].ini ?? tenant[METERS[meter].limitsField])
}
