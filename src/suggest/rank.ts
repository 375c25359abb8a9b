import { count } from '../base/count'
import { DAY, HOUR, MINUTE } from '../reporting/calendar'
import { measureOf, type Candidate, type Measure, type Yardstick } from './candidate'
import { imitated, likenessOf, type Likeness } from './likeness'
import { againstIt, fromDns, fromMail, fromName, type Reason } from './reasons'

/** `own`: probably the tenant's; `abuse`: probably abuse; `unclear`: neither. */
export type Class = 'own' | 'unclear' | 'abuse'

export interface Ranked extends Candidate {
  readonly class: Class
  /** `undefined`: it is like no accepted domain. */
  readonly likeness: Likeness | undefined
  /** The accepted domain that it differs from only in letters that look alike. */
  readonly imitates: string | undefined
  readonly score: number
  /** The parts of the score, and remarks of 0 points. */
  readonly reasons: readonly Reason[]
}

/** A domain ranked as own was first seen at least this many days before the trip. */
export const MATURE_DAYS = 14
/** A domain first seen less than this before now is never ranked as abuse, in ms: nobody knows it yet. */
const FRESH = HOUR
const OWN_FROM = 50
const ABUSE_TO = -30
const ORDER: Readonly<Record<Class, number>> = { own: 0, unclear: 1, abuse: 2 }

/** The most like the tenant's own first; then the best ranked, and the longest known. */
export function byLikeness(a: Ranked, b: Ranked): number {
  return (
    (b.likeness?.share ?? 0) - (a.likeness?.share ?? 0) ||
    ORDER[a.class] - ORDER[b.class] ||
    a.firstSeen - b.firstSeen ||
    (a.domain < b.domain ? -1 : 1)
  )
}

/**
 * Ranks unregistered domains by how probably the tenant owns them, the most probable first.
 *
 * An intruder can register a domain and publish any DNS for it. So a domain is ranked as own only if it was first seen
 * {@link MATURE_DAYS} days or more before the trip and something ties it to an accepted domain (see reasons.ts).
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

function judge(candidate: Candidate, measure: Measure): Ranked {
  const tooNew = newcomer(candidate, measure)
  const imitates = imitated(candidate.domain, measure)
  const compared = { ...candidate, likeness: likenessOf(candidate.domain, measure), imitates }
  const reasons = [
    ...fromName(candidate, measure),
    ...fromMail(candidate),
    ...fromDns(candidate, measure),
    ...againstIt(candidate),
    ...tooNew,
  ]
  const score = reasons.reduce((sum, { points }) => sum + points, 0)
  const isTied = reasons.some(({ tie }) => tie)
  if (score >= OWN_FROM && isTied && tooNew.length === 0 && imitates === undefined) {
    return { ...compared, class: 'own', score, reasons }
  }
  const untied: Reason[] = isTied
    ? []
    : [{ points: 0, text: 'nothing ties it to an accepted domain: not ranked as own' }]
  const isAbuse = score <= ABUSE_TO && !isTied
  const fresh = isAbuse ? newborn(candidate, measure) : []
  return {
    ...compared,
    class: isAbuse && fresh.length === 0 ? 'abuse' : 'unclear',
    score,
    reasons: [...reasons, ...untied, ...fresh],
  }
}

function newcomer({ firstSeen }: Candidate, { trip, now }: Measure): Reason[] {
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

function newborn({ firstSeen }: Candidate, { now }: Measure): Reason[] {
  const age = now - firstSeen
  if (age >= FRESH) return []
  const minutes = Math.max(0, Math.floor(age / MINUTE))
  const text = `first seen ${count(minutes, 'minute')} ago: too new to be ranked as abuse`
  return [{ points: 0, text }]
}
