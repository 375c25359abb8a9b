import {
  CLASSES,
  LOOKED_CLASSES,
  lookedKey,
  USUAL_LOOKED,
  type LookedClass,
} from '../../mail/classes'
import type { HeaderFrom } from '../../reporting/header-from'
import type { LookedAt } from '../../reporting/report'
import { isoDay, isoTime } from '../../base/time'
import { brief } from '../kit/output'

/** The most domains that a line for people names. */
const MOST_NAMED = 5

/** What was found in the header From, as JSON. */
export function headerFromView({ from, to, looked, mismatched, domains }: HeaderFrom): object {
  return {
    ...{ from: isoTime(from), to: isoTime(to), looked, mismatched },
    domains: domains.map(({ domain, connector, messages }) => ({ domain, connector, messages })),
  }
}

/**
 * The header From findings as one line for people.
 *
 * @param of class of the mail.
 */
export function headerFromText(headerFrom: HeaderFrom, of: LookedClass = USUAL_LOOKED): string {
  const { title } = CLASSES[of].headerFrom!
  const { from, to, looked, mismatched } = headerFrom
  const days = [isoDay(from), isoDay(to - 1)]
  const when = days[0] === days[1] ? `on ${days[0]}` : `from ${days[0]} to ${days[1]}`
  const found = `${mismatched} of ${looked} messages looked at named no accepted domain`
  return `${title} ${when}: ${found}${mismatched === 0 ? '' : `: ${named(headerFrom)}`}`
}

/** The same of each class, as JSON: `header_from`, `null_header_from`; null: not requested. */
export function headerFromsView(of: LookedAt): object {
  return Object.fromEntries(
    LOOKED_CLASSES.map((each) => {
      const key = lookedKey(each)
      const found = of[key]
      return [snakeCase(key), found ? headerFromView(found) : null]
    }),
  )
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
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
