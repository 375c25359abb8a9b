import { registrableDomain } from '../names/registrable'
import type { Measure } from './candidate'
import { skeletonOf } from './imitation'
import { isDistinctive, organisationLabel } from './names'

/** How much the name of a domain is like one of the tenant's own. */
export interface Likeness {
  /** An accepted domain. */
  readonly to: string
  /** 1: they are of one organisation. */
  readonly share: number
}

/** What the same name under another public suffix has of the full likeness: anybody may have registered it. */
const OTHER_SUFFIX = 0.95
/** What is less is chance. */
const LEAST = 0.6
/** Most own names that are compared letter by letter: 9,000 domains take a second. */
const MOST_COMPARED = 1000

/**
 * Compares what organisations register and chose: `contoso` of `mail.contoso.co.uk`. `undefined`: it is like none, or it
 * imitates one.
 */
export function likenessOf(domain: string, measure: Measure): Likeness | undefined {
  const { organisations, labels } = measure
  const organisation = registrableDomain(domain)
  const same = organisation === undefined ? undefined : organisations.get(organisation)
  if (same !== undefined) return { to: same, share: 1 }
  const label = organisationLabel(domain)
  if (label === undefined || !isDistinctive(label)) return undefined
  if (imitated(domain, measure) !== undefined) return undefined
  const brand = labels.get(label)
  if (brand !== undefined) return { to: brand, share: OTHER_SUFFIX }
  let best: Likeness | undefined
  let compared = 0
  for (const [own, to] of labels) {
    if (++compared > MOST_COMPARED) break
    const longest = Math.max(own.length, label.length)
    const most = OTHER_SUFFIX * (1 - Math.abs(own.length - label.length) / longest)
    if (most < LEAST || most <= (best?.share ?? 0)) continue
    const share = OTHER_SUFFIX * (1 - editDistance(own, label) / longest)
    if (share >= LEAST && share > (best?.share ?? 0)) best = { to, share }
  }
  return best
}

/** The accepted domain that a name differs from only in letters that look alike: `c0ntoso.com`. */
export function imitated(
  domain: string,
  { labels, skeletons }: Pick<Measure, 'labels' | 'skeletons'>,
): string | undefined {
  const label = organisationLabel(domain)
  if (label === undefined || labels.has(label)) return undefined
  return skeletons.get(skeletonOf(label))
}

/** How many letters must be added, dropped or replaced to make one text of the other (Levenshtein). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + Number(a[i - 1] !== b[j - 1])
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
