import { CLASSES } from '../mail/classes'
import { DAY } from '../reporting/calendar'
import type { DatedRow } from '../reporting/reader'
import { OTHER } from '../reporting/rows'
import { messages, recipients } from '../reporting/sum'
import type { Candidate } from './candidate'

interface Found {
  /** Accepted recipients by day. */
  readonly days: Map<number, number>
  /** Recipients by connector. */
  readonly connectors: Map<string, number>
  all: number
  messages: number
  first: number
  last: number
}

/**
 * The unregistered domains in the rows of days, the most recipients first. Rows without a name are left out, and so are
 * domains that another tenant owns and proven forwards.
 */
export async function candidatesIn(
  reports: AsyncIterable<readonly DatedRow[]>,
): Promise<Candidate[]> {
  const found = new Map<string, Found>()
  for await (const rows of reports) for (const row of rows) addTo(found, row)
  const dayOf = (ms: number): number => Math.floor(ms / DAY)
  const firstSeenOn = new Map<number, number>()
  for (const { first } of found.values()) {
    const day = dayOf(first)
    firstSeenOn.set(day, (firstSeenOn.get(day) ?? 0) + 1)
  }
  return [...found]
    .map(([domain, { days, connectors, all, messages: sent, first, last }]) => ({
      domain,
      recipients: all,
      messages: sent,
      connectors: [...connectors].sort(([, a], [, b]) => b - a).map(([name]) => name),
      daily: [...days].sort(([a], [b]) => a - b).map(([, count]) => count),
      firstSeen: first,
      lastSeen: last,
      together: firstSeenOn.get(dayOf(first))! - 1,
      dns: undefined,
    }))
    .sort((a, b) => b.recipients - a.recipients || (a.domain < b.domain ? -1 : 1))
}

function addTo(
  found: Map<string, Found>,
  { class: of, domain, connector, at, counts }: DatedRow,
): void {
  if (!CLASSES[of].suggested) return
  if (domain === '' || domain === OTHER) return
  let sum = found.get(domain)
  if (!sum) {
    sum = {
      ...{ days: new Map(), connectors: new Map(), all: 0, messages: 0 },
      ...{ first: Infinity, last: 0 },
    }
    found.set(domain, sum)
  }
  if (counts.accepted > 0) sum.days.set(at, (sum.days.get(at) ?? 0) + counts.accepted)
  sum.all += recipients(counts)
  sum.messages += messages(counts)
  if (connector !== '' && connector !== OTHER) {
    sum.connectors.set(connector, (sum.connectors.get(connector) ?? 0) + recipients(counts))
  }
  sum.first = Math.min(sum.first, counts.firstSeen || at)
  sum.last = Math.max(sum.last, counts.lastSeen || at)
}
