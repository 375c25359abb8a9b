import type { DecisionSettings } from './settings'
import { modeInEffect, type Mode } from '../mail/mode'
import type { Scope } from '../mail/scope'
import { CLASSES, type MailClass } from '../mail/classes'

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
 * @param mailClass by `queuedClass`.
 */
export function isHeld(
  mailClass: MailClass,
  { mode, restricted }: RestrictedTenant,
  config: DecisionSettings,
): boolean {
  const { main, restriction } = config
  if (restriction.queued !== 'hold' || restricted === undefined) return false
  if (modeInEffect(main, mode) !== 'enforce') return false
  if (restricted === 'all') return true
  return CLASSES[mailClass].queue.held(config)
}
