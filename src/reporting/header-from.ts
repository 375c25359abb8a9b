import { DAY, startOf } from './calendar'
import { grouped } from '../base/lists'
import type { HourReport, Looked, ReportReader } from './reader'
import { lookedKey, USUAL_LOOKED, type LookedClass, type LookedKey } from '../mail/classes'
import { OTHER, readHeaderFrom, type HeaderFromSource } from './rows'

/** Checked header Froms of one class, in whole days. */
export interface HeaderFrom extends Looked {
  /** ms: `from` ≤ t < `to` */
  readonly from: number
  readonly to: number
  /** Domains that are not accepted: the most messages first, `(other)` last. */
  readonly domains: readonly (HeaderFromSource & { readonly messages: number })[]
}

/** Whole days: in all that overlap it, header Froms are read. */
export function headerFromSpan(from: number, to: number): { from: number; to: number } {
  return { from: startOf(from, DAY), to: Math.ceil(to / DAY) * DAY }
}

/**
 * Reads the days that overlap the span.
 *
 * @param of class of the mail.
 * @param hours those of {@link headerFromSpan}, if they were read before.
 */
export async function readHeaderFroms(
  reader: ReportReader,
  tenant: string,
  from: number,
  to: number,
  of: LookedClass = USUAL_LOOKED,
  hours?: readonly HourReport[],
): Promise<HeaderFrom> {
  const span = headerFromSpan(from, to)
  const looked = lookedIn(hours ?? (await reader.hours(tenant, span.from, span.to)), of)
  if (looked.mismatched === 0) return { ...span, ...looked, domains: [] }
  const rows = await reader.dayFields(tenant, from, to, (field, value) => {
    const source = readHeaderFrom(field, of)
    return source && { ...source, messages: Number(value) }
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

/** Sums of some hours. */
export function lookedIn(
  hours: readonly Pick<HourReport, LookedKey>[],
  of: LookedClass = USUAL_LOOKED,
): Looked {
  let looked = 0
  let mismatched = 0
  for (const hour of hours) {
    const found = hour[lookedKey(of)]
    looked += found.looked
    mismatched += found.mismatched
  }
  return { looked, mismatched }
}
