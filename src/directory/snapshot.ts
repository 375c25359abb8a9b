import type { Mode } from '../mail/mode'
import { coveringDomain } from '../names/covering'
import type { Scope } from '../mail/scope'
import type { DomainFlags } from '../registry/packing'

/** What a process knows of a tenant. */
export interface Snapshot {
  readonly tenant: string
  readonly domainsToken: string
  readonly stateToken: string
  /** The tenant's own mode; `undefined`: the default counts. */
  readonly mode: Mode | undefined
  /** `undefined`: not restricted. */
  readonly restricted: Scope | undefined
  /** Who restricted it; empty where it is not restricted. */
  readonly restrictedBy: string
  /** The case that the restriction has opened; empty: none. */
  readonly case: string
  /** It has an allowance for forwards: what is one is known when the message is there. */
  readonly forwards: boolean
  /**
   * The accepted domains. The directory changes the list in place, and puts a snapshot
   * with the new token in the place of this one: whoever still goes by the old token may see later entries. That is as
   * right as what Redis holds by then, and a charge under an old token looks the sender up itself.
   */
  readonly domains: ReadonlyMap<string, DomainFlags>
}

/** A tenant as far as a process knows it; `null`: there is no such tenant; `undefined`: it could not be asked for. */
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
 * Whether a name is the tenant's own: an accepted domain that is not shared covers it. Everybody's mailboxes may be in a
 * shared one, so mail to them is relayed mail.
 *
 * @param domain lower-case A-labels.
 */
export function ownsDomain(snapshot: Snapshot, domain: string): boolean {
  return coveringDomain(snapshot.domains, domain, true) !== undefined
}
