import { isInNetworks } from './networks'
import { imitated } from './likeness'
import { isDistinctive, looksRandom, organisationLabel } from './names'
import type { Candidate, Measure } from './candidate'
import { registrableDomain } from '../names/registrable'

/** Why a domain is ranked as it is. */
export interface Reason {
  /** Added to the score; 0: a remark. */
  readonly points: number
  readonly text: string
  /** It ties the domain to one that the tenant owns. */
  readonly tie?: true
}

/** This many other domains first seen on the same day are a sign of abuse. */
const MANY = 10

/** Compares its name with those of accepted domains. */
export function fromName({ domain }: Candidate, measure: Measure): Reason[] {
  const { organisations, labels } = measure
  const organisation = registrableDomain(domain)
  const accepted = organisation === undefined ? undefined : organisations.get(organisation)
  if (accepted !== undefined) {
    return [{ points: 50, tie: true, text: `in ${organisation}, as accepted ${accepted}` }]
  }
  const label = organisationLabel(domain)
  if (label === undefined || !isDistinctive(label)) return []
  const same = labels.get(label)
  if (same !== undefined) {
    return [{ points: 30, tie: true, text: `called ${label}, as accepted ${same}` }]
  }
  const forged = imitated(domain, measure)
  if (forged !== undefined) {
    const text = `looks like accepted ${forged} by letters that look alike: never ranked as own`
    return [{ points: 0, text }]
  }
  const part = partsOf(label).find((each) => labels.has(each))
  if (part === undefined) return []
  const text = `its name contains that of accepted ${labels.get(part)}, as a forged name would`
  return [{ points: 0, text }]
}

/** The distinctive substrings of a label, longest first. */
function partsOf(label: string): string[] {
  const parts: string[] = []
  for (let length = label.length - 1; isDistinctive(label.slice(0, length)); length--) {
    for (let at = 0; at + length <= label.length; at++) parts.push(label.slice(at, at + length))
  }
  return parts
}

/** Looks at how long and how steadily it was used. */
export function fromMail({ daily }: Candidate): Reason[] {
  const reasons: Reason[] = []
  const days = daily.length
  const forDays = days >= 30 ? 20 : days >= 14 ? 15 : days >= 7 ? 10 : 0
  if (forDays > 0) reasons.push({ points: forDays, text: `seen on ${days} days` })
  const sorted = daily.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(days / 2)] ?? 0
  const most = sorted.at(-1) ?? 0
  if (days >= 7 && most <= 4 * median) {
    reasons.push({
      points: 10,
      text: `steady: ${median} recipients on a usual day, ${most} at most`,
    })
  }
  return reasons
}

/** Compares its DNS with that of accepted domains, and with connectors. */
export function fromDns({ domain, dns }: Candidate, measure: Measure): Reason[] {
  if (!dns) return []
  const { organisations, acceptedDns, networks } = measure
  const own = registrableDomain(domain)
  /** The first name in an organisation of the tenant other than the candidate's own. */
  const ofTenant = (names: readonly string[]): string | undefined =>
    names.find((name) => {
      const organisation = registrableDomain(name)
      return organisation !== undefined && organisation !== own && organisations.has(organisation)
    })
  const othersHave = (has: (facts: NonNullable<typeof dns>) => boolean): string | undefined =>
    [...acceptedDns].find(([, facts]) => has(facts))?.[0]

  const reasons: Reason[] = []
  const { spf } = dns
  if (spf) {
    const included = ofTenant(spf.includes)
    const same = spf.includes.find((name) =>
      othersHave((each) => !!each.spf?.includes.includes(name)),
    )
    if (included !== undefined) {
      reasons.push({ points: 20, tie: true, text: `SPF includes ${included}, the tenant's own` })
    } else if (same !== undefined) {
      reasons.push({ points: 5, text: `SPF includes ${same}, as accepted domains do` })
    }
    const network = networks.find((each) => isInNetworks(each, spf.networks))
    if (network !== undefined) {
      reasons.push({ points: 15, text: `SPF lets ${network} of a connector send` })
    }
  }
  for (const [what, names, theirs] of [
    ['MX is', dns.mx, (each: NonNullable<typeof dns>) => each.mx],
    ['DMARC reports go to', dns.rua, (each: NonNullable<typeof dns>) => each.rua],
  ] as const) {
    if (names === undefined) continue
    const tenants = ofTenant(names)
    if (tenants !== undefined) {
      reasons.push({ points: 20, tie: true, text: `${what} ${tenants}, the tenant's own` })
      continue
    }
    const organisation = names
      .map((name) => registrableDomain(name))
      .find(
        (each) =>
          each !== undefined && each !== own && othersHave((facts) => areIn(theirs(facts), each)),
      )
    if (organisation !== undefined) {
      reasons.push({ points: 5, text: `${what} ${organisation}, as of accepted domains` })
    }
  }
  return reasons
}

function areIn(names: readonly string[] | undefined, organisation: string): boolean {
  return (names ?? []).some((name) => registrableDomain(name) === organisation)
}

/** Looks for signs of abuse. */
export function againstIt({ domain, daily, together, dns }: Candidate): Reason[] {
  const reasons: Reason[] = []
  if (daily.length === 1) reasons.push({ points: -20, text: 'seen on one day only' })
  if (daily.length === 0) reasons.push({ points: 0, text: 'its mail was never accepted' })
  if (together >= MANY) {
    reasons.push({ points: -30, text: `first seen on the same day as ${together} others` })
  }
  const label = organisationLabel(domain)
  if (label !== undefined && looksRandom(label)) {
    reasons.push({ points: -20, text: `${label} looks random` })
  }
  if (dns?.mx?.length === 0 && dns.address === false) {
    reasons.push({ points: -30, text: 'neither MX nor address: it cannot receive replies' })
  }
  return reasons
}
