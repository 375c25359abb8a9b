import type { Usage } from '../../allowance/usage'
import { isoTime } from '../../base/time'
import { METER_NAMES, meterField, METERS, separated } from '../../mail/meters'
import { describeTemporary } from '../../mail/temporary'
import type { TenantSummary } from '../../operations/tenants'
import type { Cell } from '../kit/output'

/** For the help of commands that print {@link temporaryView}. */
export const TEMPORARY_FIELDS = [
  'temporary: null, or {limits, until}: limits for unregistered mail that apply until a time;',
  '  null_temporary, forwarded_temporary: the same for the null sender, for proven forwards',
]

/** The limits in effect for some time, as JSON: a field for each meter. */
export function temporaryView(temporary: TenantSummary['temporary']): object {
  const fields = METER_NAMES.map((meter) => {
    const found = temporary[meter]
    const view = found && { limits: found.limits, until: isoTime(found.until) }
    return [meterField(meter, 'temporary'), view ?? null]
  })
  return Object.fromEntries(fields) as object
}

/** The same for people: `null limits` and what they are. */
export function temporaryTexts(
  temporary: Usage['temporary'],
): (readonly [name: string, text: string])[] {
  return METER_NAMES.flatMap((meter) => {
    const found = temporary[meter]
    if (!found) return []
    return [[separated(METERS[meter].limitsField, ' '), describeTemporary(found, found.usual)]]
  })
}

export function temporaryFacts(temporary: Usage['temporary']): [string, Cell][] {
  return temporaryTexts(temporary).map(([name, text]) => [name, { text, tone: 'warn' }])
}
