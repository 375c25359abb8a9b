import { DAY } from '../reporting/calendar'
import { measureOf, type Candidate, type Measure, type Yardstick } from './candidate'
import { againstIt, fromDns, fromMail, fromName, type Reason } from './reasons'

/** `own`: probably the tenant's; `abuse`: probably abuse; `unclear`: neither. */
export type Class = 'own' | 'unclear' | 'abuse'

export interface Ranked extends Candidate {
  readonly class: Class
  readonly score: number
  /** The parts of the score, and remarks of 0 points. */
  readonly reasons: readonly Reason[]
}

/** A domain ranked as own was first seen at least this many days before the trip. */
export const MATURE_DAYS = 14
const OWN_FROM = 50
const ABUSE_TO = -30
const ORDER: Readonly<Record<Class, number>> = { own: 0, unclear: 1, abuse: 2 }

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
  const reasons = [
    ...fromName(candidate, measure),
    ...fromMail(candidate),
    ...fromDns(candidate, measure),
    ...againstIt(candidate),
    ...tooNew,
  ]
  const score = reasons.reduce((sum, { points }) => sum + points, 0)
  const isTied = reasons.some(({ tie }) => tie)
  if (score >= OWN_FROM && isTied && tooNew.length === 0) {
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
