import type { HeaderFrom } from '../../reporting/header-from'
import { isoDay, isoTime } from '../../base/time'
import { brief } from '../kit/output'

/** Begins the line of the null sender's mail. */
export const NULL_HEADER_FROM = 'From header of bounces (null sender)'

/** Domains that a line for people names. */
const MOST_NAMED = 5

/** What was found in the header From, as JSON. */
export function headerFromView({ from, to, looked, mismatched, domains }: HeaderFrom): object {
  return { from: isoTime(from), to: isoTime(to), looked, mismatched, domains }
}

/**
 * The same as one line for people.
 *
 * @param what begins it.
 */
export function headerFromText(headerFrom: HeaderFrom, what = 'From header'): string {
  const { from, to, looked, mismatched } = headerFrom
  const days = [isoDay(from), isoDay(to - 1)]
  const when = days[0] === days[1] ? `on ${days[0]}` : `from ${days[0]} to ${days[1]}`
  const found = `${mismatched} of ${looked} messages looked at named no accepted domain`
  return `${what} ${when}: ${found}${mismatched === 0 ? '' : `: ${named(headerFrom)}`}`
}

function named({ domains }: HeaderFrom): string {
  const byDomain = new Map<string, number>()
  for (const { domain, messages } of domains) {
    byDomain.set(domain, (byDomain.get(domain) ?? 0) + messages)
  }
  const names = [...byDomain].map(
    ([domain, messages]) => `${domain === '' ? '(no domain)' : brief(domain)} (${messages})`,
  )
  const more = names.length - MOST_NAMED
  return [...names.slice(0, MOST_NAMED), ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
}
