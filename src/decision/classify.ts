import { acceptedDomainOf, type Known, type Snapshot } from '../directory/snapshot'
import { CLASSES, UNKNOWN, type ClassSettings, type MailClass } from '../mail/classes'
import { envelopeDomain, type EnvelopeDomain, type HarakaAddress } from '../names/envelope'

/** What a transaction's sender is, found once and kept while the facts it came from hold. */
export interface SenderStanding {
  /** `unknown`: the tenant is not known, so neither are its accepted domains. */
  readonly class: MailClass
  /** The sender's domain; `undefined` for the null sender and for what is no DNS name. */
  readonly domain: string | undefined
  /** The accepted domain that covers it. */
  readonly matched: string | undefined
  /** The other tenant that owns it, where that is known. */
  readonly owner?: string
}

/** Before anything is known. */
export const UNKNOWN_SENDER: SenderStanding = {
  class: UNKNOWN,
  domain: undefined,
  matched: undefined,
}

/** Finds the class of a sender: what cannot be a DNS name is unregistered. */
export function standingOf(sender: EnvelopeDomain, snapshot: Known): SenderStanding {
  if (sender.kind === 'null') return { class: 'null', domain: undefined, matched: undefined }
  const domain = sender.kind === 'domain' ? sender.domain : undefined
  if (!snapshot) return { class: UNKNOWN, domain, matched: undefined }
  const matched = domain === undefined ? undefined : acceptedDomainOf(snapshot, domain)
  if (matched !== undefined) return { class: 'registered', domain, matched }
  return { class: 'unregistered', domain, matched }
}

/** An unregistered sender of whose domain the owner has been found; `null`: nobody owns it. */
export function ownedBy(
  standing: SenderStanding,
  owner: string | null,
  tenant: string,
): SenderStanding {
  // The tenant itself: the domain has just been registered, and the charge will find that.
  if (owner === null || owner === tenant) return standing
  return { ...standing, class: 'foreign', owner }
}

/** Whether another tenant may own the domain of a sender, and Redis must be asked which. */
export function mayBeOwned({ class: of, domain }: SenderStanding): boolean {
  return CLASSES[of].owner === 'asked' && domain !== undefined
}

/** A sender whose message is proven to be a forward. */
export function provenForward(standing: SenderStanding): SenderStanding {
  return { ...standing, class: 'forwarded' }
}

/**
 * Registered mail that counts as unregistered, for what its From names.
 *
 * @param domain empty: none.
 */
export function byHeaderFrom(domain: string): SenderStanding {
  return { class: 'unregistered', domain: domain || undefined, matched: undefined }
}

/** The class in reports: registered, if Redis has found that the sender is registered by now. */
export function reportedClass({ class: of }: SenderStanding, isRegistered: boolean): MailClass {
  return isRegistered ? 'registered' : of
}

/**
 * The class of queued mail as of now, which decides what is held, shown and dropped. Mail from accepted domains passes
 * whatever happens: it is registered also where its domain has been registered since, and stays so where the domain has
 * been removed, or moved to another tenant.
 *
 * @param noted as it was when it came.
 */
export function queuedClass(
  noted: MailClass,
  sender: HarakaAddress,
  snapshot: Snapshot,
): MailClass {
  if (noted === 'registered' || noted === 'null') return noted
  const { class: now } = standingOf(envelopeDomain(sender), snapshot)
  return now === 'registered' || now === 'null' ? now : noted
}

/** Whether the answer to RCPT depends on who owns the sender domain. */
export function ownerDecides(settings: ClassSettings): boolean {
  return CLASSES.foreign.refused?.when(settings) === true
}
