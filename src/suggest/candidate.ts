// What is known of an unregistered domain, and of the tenant that sends from it.
import { registrableDomain } from '../names/registrable'
import type { DnsFacts } from './dns-facts'
import { isTelling, organisationLabel } from './names'

/** An unregistered domain, as it was seen. */
export interface Candidate {
  readonly domain: string
  /** All recipients, accepted or refused. */
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

/** What candidates are compared with. */
export interface Yardstick {
  /** Accepted domains that the tenant owns; shared ones belong to somebody else. */
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

/** What is looked up for each candidate, made once. */
export interface Measure extends Yardstick {
  /** Organisations (registrable domains) of the accepted domains, each with one of these. */
  readonly organisations: ReadonlyMap<string, string>
  /** The same by the label that the organisation chose, where that is telling. */
  readonly labels: ReadonlyMap<string, string>
}

export function measureOf(yardstick: Yardstick): Measure {
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
