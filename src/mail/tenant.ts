import type { LimitsField } from './meters'
import type { Mode } from './mode'
import type { TemporaryField } from './temporary'

/** Limits of a tenant's own in canonical text, by meter; `undefined`: the default applies, or it has no such meter. */
type OwnLimits = Readonly<Record<LimitsField, string | undefined>>

/** As `formatTemporary` writes them; `undefined`: none. They may have ended: see `temporaryAt`. */
type TemporaryLimits = Readonly<Record<TemporaryField, string | undefined>>

/** An organisation that relays through this server. */
export interface Tenant extends OwnLimits, TemporaryLimits {
  readonly id: string
  readonly name: string
  /** Its own mode; `undefined`: `[main] mode`. */
  readonly mode: Mode | undefined
  /** Mail address of the tenant's contact, who gets alerts about it. */
  readonly contact: string | undefined
  /** Who registered it: an operator, or `file:ID` for the tenants file of that id, with `detached:` before it once it was detached. */
  readonly source: string
  /** ms since the epoch, server time */
  readonly createdAt: number
}

/** A sender domain registered for a tenant. */
export interface AcceptedDomain {
  /** Lower-case A-label form without a trailing dot. */
  readonly domain: string
  /** Every name below it counts too. */
  readonly subdomains: boolean
  /** Registered without being owned. */
  readonly shared: boolean
  /** ms since the epoch, server time */
  readonly addedAt: number
  readonly addedBy: string
}

/** How a connector's sessions are recognised. */
export interface Identities {
  /** Canonical CIDR prefixes, IPv4-mapped IPv6 as IPv4: `192.0.2.0/24`, `2001:db8::/32`. */
  readonly ip: readonly string[]
  /** DNS names or `*.name`, lower-case A-labels. */
  readonly cert: readonly string[]
  /** SHA-256 fingerprints: 64 lower-case hexadecimal digits. */
  readonly certSha256: readonly string[]
  /** AUTH user names or `*@domain`, lower case. */
  readonly auth: readonly string[]
}

/** The persistent state in which all that a connector relays is refused. It has no expiry: a person lifts it. */
export interface ConnectorBlock {
  readonly by: string
  readonly reason: string
  /** ms since the epoch, server time */
  readonly since: number
}

/** A way in which a tenant's server is recognised. */
export interface Connector extends Identities {
  readonly tenant: string
  readonly name: string
  readonly enabled: boolean
  /** ms since the epoch, server time */
  readonly addedAt: number
  readonly addedBy: string
  /** When its identities, or `enabled`, became what they are; absent: they are as they were added. */
  readonly changedAt?: number | undefined
  readonly blocked?: ConnectorBlock | undefined
}
