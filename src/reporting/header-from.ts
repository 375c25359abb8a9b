import { DAY, startOf } from './calendar'
import { grouped } from '../grouped'
import type { HourReport, Looked, ReportReader } from './reader'
import { OTHER, readHeaderFrom, type HeaderFromSource } from './rows'

/** What was found in the header From of registered mail, in whole days. */
export interface HeaderFrom extends Looked {
  /** ms: `from` ≤ t < `to` */
  readonly from: number
  readonly to: number
  /** Those that are no accepted domains: the most messages first, `(other)` last. */
  readonly domains: readonly (HeaderFromSource & { readonly messages: number })[]
}

/** The same of all days of which a part lies in the span. */
export async function readHeaderFroms(
  reader: ReportReader,
  tenant: string,
  from: number,
  to: number,
): Promise<HeaderFrom> {
  const span = { from: startOf(from, DAY), to: Math.ceil(to / DAY) * DAY }
  const looked = lookedIn(await reader.hours(tenant, span.from, span.to))
  if (looked.mismatched === 0) return { ...span, ...looked, domains: [] }
  const rows = (await reader.dayFields(tenant, from, to)).flatMap(([field, value]) => {
    const source = readHeaderFrom(field)
    return source ? [{ ...source, messages: Number(value) }] : []
  })
  const isOther = ({ domain }: HeaderFromSource): number => Number(domain === OTHER)
  const domains = grouped(rows, ({ domain, connector }) => `${domain}\t${connector}`)
    .map(([, some]) => ({
      ...some[0]!,
      messages: some.reduce((sum, { messages }) => sum + messages, 0),
    }))
    .sort((a, b) => isOther(a) - isOther(b) || b.messages - a.messages)
  return { ...span, ...looked, domains }
}

/** All that was looked at in some hours. */
export function lookedIn(hours: readonly Pick<HourReport, 'headerFrom'>[]): Looked {
  let looked = 0
  let mismatched = 0
  for (const { headerFrom } of hours) {
    looked += headerFrom.looked
    mismatched += headerFrom.mismatched
  }
  return { looked, mismatched }
}
