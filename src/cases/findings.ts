import { readTenantAudit } from '../audit/reader'
import { HOURS_KEPT } from '../reporting/bounds'
import { DAY, HOUR } from '../reporting/calendar'
import { readForeign } from '../reporting/foreign'
import { readHeaderFroms, type HeaderFrom } from '../reporting/header-from'
import { ReportReader, type DatedRow } from '../reporting/reader'
import { OTHER, type Owned } from '../reporting/rows'
import { attempts, recipients, sumBy } from '../reporting/sum'
import type { Store } from '../store/store'
import { readSomeConnectors } from '../registry/connector-reader'
import { CLASSES } from '../mail/classes'
import { connectorId } from '../mail/identities'
import { acceptsDomain } from '../registry/domain-entries'
import type { Case } from './case'

/** How long before a case its causes are searched. */
const BEFORE = DAY
/** How long before a case an added or changed connector is suspect. */
const CHANGED_BEFORE = 30 * DAY
/** Of so long a time a page still reads hours. */
const LONGEST_BOUNDED = BEFORE + 6 * HOUR
/** Most domains and sources in a finding. */
const MOST_NAMED = 50

/** Facts for the checklist of a case. */
export interface Findings {
  /** Domains that mail was accepted from and that are not registered now; most recipients first. */
  readonly domains: readonly { readonly domain: string; readonly accepted: number }[]
  /** Foreign domains in the days of the case; most recipients first. */
  readonly foreign: readonly (Owned & { readonly recipients: number })[]
  /** Connectors to review, with the reason in words. */
  readonly connectors: readonly { readonly connector: string; readonly why: string }[]
  /** Sources of that mail; most recipients first. */
  readonly ips: readonly Source[]
  readonly users: readonly Source[]
  /** Checked header Froms of registered mail in the days of the case. */
  readonly headerFrom: HeaderFrom
}

interface Source {
  readonly source: string
  readonly recipients: number
}

/**
 * Collects the facts for a case now. Writes nothing.
 *
 * @param now server time, ms.
 * @param isBounded for a page: of a long time whole days are read, which may begin before it.
 */
export async function findingsOf(
  store: Store,
  of: Case,
  now: number,
  isBounded = false,
): Promise<Findings> {
  const { from, to } = spanOf(of, now)
  const rows = await rowsOf(store, of, now, isBounded)
  const reader = new ReportReader(store)
  const foreign = await readForeign(reader, of.tenant, from, to)
  return {
    domains: await unexplainedDomains(store, of.tenant, rows),
    foreign: foreign
      .map(({ domain, owner, counts }) => ({ domain, owner, recipients: attempts(counts) }))
      .slice(0, MOST_NAMED),
    connectors: await connectorsToReview(store, of),
    ips: sourcesOf(rows, 'ip'),
    users: sourcesOf(rows, 'user'),
    headerFrom: await readHeaderFroms(reader, of.tenant, from, to),
  }
}

/** From the day before the case until its restriction was lifted. */
function spanOf({ opened, lifted }: Case, now: number): { from: number; to: number } {
  return { from: opened - BEFORE, to: Math.min(now, lifted?.at ?? now) + 1 }
}

/** The report rows of that time. */
function rowsOf(store: Store, of: Case, now: number, isBounded: boolean): Promise<DatedRow[]> {
  const { from, to } = spanOf(of, now)
  const isKept = from > now - HOURS_KEPT * DAY + HOUR
  const step = isKept && !(isBounded && to - from > LONGEST_BOUNDED) ? 'hour' : 'day'
  return new ReportReader(store).rows(of.tenant, from, to, step)
}

async function unexplainedDomains(
  store: Store,
  tenant: string,
  rows: readonly DatedRow[],
): Promise<Findings['domains']> {
  const candidates = rows.filter((row) => CLASSES[row.class].suggested)
  const sums = sumBy(candidates, 'domain').filter(
    ({ key, counts }) => key !== '' && key !== OTHER && counts.accepted > 0,
  )
  const open: Findings['domains'][number][] = []
  for (const { key, counts } of sums) {
    if (open.length === MOST_NAMED) break
    if (await acceptsDomain(store, tenant, key)) continue
    open.push({ domain: key, accepted: counts.accepted })
  }
  return open
}

/** Connectors added, changed or first used around the time of the case, and not reviewed since. */
async function connectorsToReview(
  store: Store,
  { tenant, opened, ticks, trigger }: Case,
): Promise<Findings['connectors']> {
  const reviewed = ticks.get('connectors')?.at ?? 0
  const [changes, seen] = await Promise.all([
    readTenantAudit(store, tenant, opened - CHANGED_BEFORE),
    new ReportReader(store).connectorsSeen(tenant),
  ])
  const lastChange = new Map(
    changes
      .filter(({ what }) => /^connector /.test(what))
      .map(({ subject, what, at }) => [subject, { what, at }] as const),
  )
  // Others need no review.
  const ids = new Set([
    ...lastChange.keys(),
    ...[...seen.keys()].map((name) => connectorId(tenant, name)),
  ])
  if (trigger) ids.add(trigger.connector)
  const found = await readSomeConnectors(store, [...ids].sort())
  return found.flatMap(([connector, known]) => {
    if (!known) return []
    const change = lastChange.get(connector)
    const use = seen.get(known.name)
    const reasons: string[] = []
    if (trigger?.connector === connector && reviewed === 0) reasons.push('the case began with it')
    if (change && change.at > reviewed) reasons.push(change.what.replace('connector ', ''))
    if (use && use.first > Math.max(reviewed, opened - CHANGED_BEFORE)) {
      reasons.push('used for the first time')
    }
    if (use && use.last > opened && reviewed === 0) reasons.push('used since')
    return reasons.length === 0 ? [] : [{ connector, why: reasons.join(', ') }]
  })
}

function sourcesOf(rows: readonly DatedRow[], dimension: 'ip' | 'user'): Source[] {
  return (
    sumBy(rows, dimension)
      .map(({ key, counts }) => ({ source: key, recipients: recipients(counts) }))
      // Mail refused at MAIL has no recipients; `(other)` may have no other mail.
      .filter(({ source, recipients }) => source !== '' && recipients > 0)
      .slice(0, MOST_NAMED)
  )
}
