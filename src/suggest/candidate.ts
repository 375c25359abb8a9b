// An unregistered domain as reports and DNS show it, and the facts about the tenant that it is compared with.
import { registrableDomain } from '../names/registrable'
import type { DnsFacts } from './dns-facts'
import { skeletonOf } from './imitation'
import { isDistinctive, organisationLabel } from './names'

/** An unregistered domain in a tenant's reports. */
export interface Candidate {
  readonly domain: string
  /** All recipients, accepted or refused. */
  readonly recipients: number
  /** The same of messages. */
  readonly messages: number
  /** The connectors that it came through, as `tenant/name`, the most recipients first. */
  readonly connectors: readonly string[]
  /** Accepted recipients of each day that has any, oldest first. */
  readonly daily: readonly number[]
  /** ms, server time */
  readonly firstSeen: number
  readonly lastSeen: number
  /** How many other unregistered domains were first seen on the same day. */
  readonly together: number
  /** `undefined`: DNS was not asked. */
  readonly dns: DnsFacts | undefined
}

/** The tenant's side of the comparison. */
export interface Yardstick {
  /** Accepted domains that the tenant owns, without shared ones. */
  readonly accepted: readonly string[]
  /** DNS of some of the accepted domains. */
  readonly acceptedDns: ReadonlyMap<string, DnsFacts>
  /** CIDR prefixes of the tenant's connectors. */
  readonly networks: readonly string[]
  /** Last restriction in ms, server time; `undefined`: there was none. */
  readonly trip: number | undefined
  /** ms, server time */
  readonly now: number
}

/** The same with its indexes, built once for all candidates. */
export interface Measure extends Yardstick {
  /** Organisation (registrable domain) → one of its accepted domains. */
  readonly organisations: ReadonlyMap<string, string>
  /** Label of an organisation, where it is distinctive → one of its accepted domains. */
  readonly labels: ReadonlyMap<string, string>
  /** Such a label by how it looks → one of its accepted domains. */
  readonly skeletons: ReadonlyMap<string, string>
}

export function measureOf(yardstick: Yardstick): Measure {
  const organisations = new Map<string, string>()
  const labels = new Map<string, string>()
  const skeletons = new Map<string, string>()
  for (const domain of yardstick.accepted) {
    const organisation = registrableDomain(domain)
    const label = organisationLabel(domain)
    if (organisation === undefined || label === undefined) continue
    if (!organisations.has(organisation)) organisations.set(organisation, domain)
    if (!isDistinctive(label) || labels.has(label)) continue
    labels.set(label, domain)
    skeletons.set(skeletonOf(label), domain)
  }
  return { ...yardstick, organisations, labels, skeletons }
}
