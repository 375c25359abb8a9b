import type { RestrictionFields } from '../allowance/standing'
import { METERS, PROVEN_METER } from '../mail/meters'
import type { Mode } from '../mail/mode'
import { coveringDomain } from '../names/covering'
import type { Scope } from '../mail/scope'
import type { DomainFlags } from '../registry/formats'

/** Fields of a tenant's hash that are there, with their values. */
export type TenantFields = Readonly<Record<string, string>>

/** A tenant as it is cached. */
export interface Snapshot {
  readonly tenant: string
  readonly domainsToken: string
  readonly stateToken: string
  /** `createdAt`, in ms since the epoch: a later tenant of that id is another one. */
  readonly created: string
  /** The fields that operators set: see `SETTINGS` in `registry/tenant-registry.ts`. */
  readonly settings: TenantFields
  /** The tenant's own mode; `undefined`: the default. */
  readonly mode: Mode | undefined
  /** Redis has lost the mode, and holds another one. */
  readonly modeIsLost?: boolean
  /** `undefined`: not restricted. */
  readonly restricted: Scope | undefined
  /** Who restricted it; empty if it is not restricted. */
  readonly restrictedBy: string
  /** The case that the restriction has opened; empty: none. */
  readonly case: string
  /** It has an allowance for forwards. */
  readonly forwards: boolean
  /**
   * The accepted domains. The cache changes the list in place and replaces this snapshot by one with the new token, so a
   * holder of the old one may see later entries. They are what Redis holds by then, and a charge under an old token looks
   * the sender up itself.
   */
  readonly domains: ReadonlyMap<string, DomainFlags>
}

/** What follows from the settings. */
export function settingsInForce(
  settings: TenantFields,
): Pick<Snapshot, 'settings' | 'mode' | 'forwards'> {
  return {
    settings,
    mode: settings['mode'] as Mode | undefined,
    forwards: settings[METERS[PROVEN_METER].limitsField] !== undefined,
  }
}

/** What follows from the restriction; `undefined`: not restricted. */
export function restrictionInForce(
  restriction: RestrictionFields | undefined,
): Pick<Snapshot, 'restricted' | 'restrictedBy' | 'case'> {
  return {
    restricted: restriction?.['scope'] as Scope | undefined,
    restrictedBy: restriction?.['by'] ?? '',
    case: restriction?.['case'] ?? '',
  }
}

/** `null`: there is no such tenant; `undefined`: it is not cached, and Redis does not answer. */
export type Known = Snapshot | null | undefined

/**
 * The accepted domain of the tenant that covers a name: the name itself, or a parent with `subdomains`.
 *
 * @param domain lower-case A-labels.
 */
export function acceptedDomainOf(snapshot: Snapshot, domain: string): string | undefined {
  return coveringDomain(snapshot.domains, domain)
}

/**
 * Whether a name is the tenant's own: an accepted domain that is not shared covers it. A shared one may hold mailboxes
 * of anybody, so mail to it is relayed mail.
 *
 * @param domain lower-case A-labels.
 */
export function ownsDomain(snapshot: Snapshot, domain: string): boolean {
  return coveringDomain(snapshot.domains, domain, true) !== undefined
}
