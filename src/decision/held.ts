import type { DecisionSettings } from './settings'
import { envelopeDomain, type HarakaAddress } from '../names/envelope'
import { modeInEffect, type Mode } from '../mail/mode'
import type { Scope } from '../mail/scope'
import type { Snapshot } from '../directory/snapshot'
import { standingOf, type SenderClass } from './judge'

/** What a restriction of a tenant rests on. */
export interface RestrictedTenant {
  /** The tenant's own mode; `undefined`: the default counts. */
  readonly mode: Mode | undefined
  /** `undefined`: not restricted. */
  readonly restricted: Scope | undefined
}

/**
 * Whether mail of that class waits in Haraka's queue until the restriction of its tenant is lifted: with `hold`, what
 * would be refused if it came now.
 *
 * @param senderClass by {@link queuedClass}; what is not known is held as unregistered mail is.
 */
export function isHeld(
  senderClass: SenderClass | null,
  { mode, restricted }: RestrictedTenant,
  { main, restriction, forwarded }: DecisionSettings,
): boolean {
  if (restriction.queued !== 'hold' || restricted === undefined) return false
  if (modeInEffect(main, mode) !== 'enforce') return false
  if (restricted === 'all') return true
  if (senderClass === 'forwarded') return forwarded.whenRestricted === 'refuse'
  return senderClass === null || senderClass === 'unregistered' || senderClass === 'foreign'
}

/**
 * The class of queued mail as of now, which decides what is held, shown and dropped. Mail from accepted domains passes
 * whatever happens: it is registered also where its domain has been registered since, and stays so where the domain has
 * been removed, or moved to another tenant.
 *
 * @param noted as it was when it came; null: nothing was known of its tenant then.
 * @returns null: not known.
 */
export function queuedClass(
  noted: SenderClass | null,
  sender: HarakaAddress,
  snapshot: Snapshot,
): SenderClass | null {
  if (noted === 'registered' || noted === 'null') return noted
  const { class: now } = standingOf(envelopeDomain(sender), snapshot)
  return now === 'registered' || now === 'null' ? now : noted
}
