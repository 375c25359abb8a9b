import { registrableDomain } from '../names/registrable'
import { DAY } from '../reporting/calendar'
import type { DnsFacts } from './dns-facts'
import { isTelling, organisationLabel } from './names'
import { againstIt, fromDns, fromMail, fromName, type Reason } from './reasons'

/** An unregistered domain, as it was seen. */
export interface Candidate {
  readonly domain: string
  /** All recipients, whatever became of them. */
  readonly recipients: number
  /** Accepted recipients of each day on which there were any, the oldest first. */
  readonly daily: readonly number[]
  /** ms, server time */
  readonly firstSeen: number
  readonly lastSeen: number
  /** How many other unregistered domains were first seen on the same day. */
  readonly together: number
  /** `undefined`: not asked for. */
  readonly dns: DnsFacts | undefined
}

/** What candidates are held against. */
export interface Yardstick {
  /** Accepted domains that the tenant owns; shared ones are somebody else's. */
  readonly accepted: readonly string[]
  /** Of some of them. */
  readonly acceptedDns: ReadonlyMap<string, DnsFacts>
  /** CIDR prefixes of its connectors. */
  readonly networks: readonly string[]
  /** Last restriction; `undefined`: there was none. ms, server time */
  readonly trip: number | undefined
  /** ms, server time */
  readonly now: number
}

/** `own`: probably the tenant's; `abuse`: looks like it; `unclear`: neither. */
export type Class = 'own' | 'unclear' | 'abuse'

export interface Ranked extends Candidate {
  readonly class: Class
  readonly score: number
  /** What the score is made of, and what else matters. */
  readonly reasons: readonly Reason[]
}

/** So many days before the trip a domain must have been seen to be ranked as own. */
export const MATURE_DAYS = 14
const OWN_FROM = 50
const ABUSE_TO = -30
const ORDER: Readonly<Record<Class, number>> = { own: 0, unclear: 1, abuse: 2 }

/**
 * Ranks unregistered domains as probably the tenant's own: the best first.
 *
 * All that DNS says, whoever registered a domain has put there, an intruder as well as the tenant. So no domain is
 * ranked as own that was first seen less than {@link MATURE_DAYS} days before the trip, nor one that nothing ties to an
 * accepted domain; what such a tie may be, reasons.ts says.
 */
export function rank(candidates: readonly Candidate[], yardstick: Yardstick): Ranked[] {
  const measure = measureOf(yardstick)
  return candidates
    .map((each) => judge(each, measure))
    .sort(
      (a, b) =>
        ORDER[a.class] - ORDER[b.class] ||
        b.score - a.score ||
        b.recipients - a.recipients ||
        (a.domain < b.domain ? -1 : 1),
    )
}

/** What is looked up for each candidate, made once. */
export interface Measure extends Yardstick {
  /** Organisations (registrable domains) of the accepted domains, each with one of these. */
  readonly organisations: ReadonlyMap<string, string>
  /** The same by the label that the organisation chose, where that is telling. */
  readonly labels: ReadonlyMap<string, string>
}

function measureOf(yardstick: Yardstick): Measure {
  const organisations = new Map<string, string>()
  const labels = new Map<string, string>()
  for (const domain of yardstick.accepted) {
    const organisation = registrableDomain(domain)
    const label = organisationLabel(domain)
    if (organisation === undefined || label === undefined) continue
    if (!organisations.has(organisation)) organisations.set(organisation, domain)
    if (isTelling(label) && !labels.has(label)) labels.set(label, domain)
  }
  return { ...yardstick, organisations, labels }
}

function judge(candidate: Candidate, measure: Measure): Ranked {
  const young = youth(candidate, measure)
  const reasons = [
    ...fromName(candidate, measure),
    ...fromMail(candidate),
    ...fromDns(candidate, measure),
    ...againstIt(candidate),
    ...young,
  ]
  const score = reasons.reduce((sum, { points }) => sum + points, 0)
  const isTied = reasons.some(({ tie }) => tie)
  if (score >= OWN_FROM && isTied && young.length === 0) {
    return { ...candidate, class: 'own', score, reasons }
  }
  const untied: Reason[] = isTied
    ? []
    : [{ points: 0, text: 'nothing ties it to an accepted domain: not ranked as own' }]
  return {
    ...candidate,
    class: score <= ABUSE_TO && !isTied ? 'abuse' : 'unclear',
    score,
    reasons: [...reasons, ...untied],
  }
}

function youth({ firstSeen }: Candidate, { trip, now }: Measure): Reason[] {
  const age = Math.floor(((trip ?? now) - firstSeen) / DAY)
  if (age >= MATURE_DAYS) return []
  const days = `${age} ${age === 1 ? 'day' : 'days'}`
  const when =
    trip === undefined
      ? `${days} ago`
      : age < 0
        ? 'only after the last restriction'
        : `${days} before the last restriction`
  const text = `first seen ${when}, not ${MATURE_DAYS}: never ranked as own, whatever DNS says`
  return [{ points: 0, text }]
}
