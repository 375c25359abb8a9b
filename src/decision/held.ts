import type { DecisionSettings } from './settings'
import { modeDespitePause, modeInEffect, type Mode, type TenantMode } from '../mail/mode'
import type { MainSettings } from '../mail/settings'
import { CLASSES, type MailClass } from '../mail/classes'

/**
 * Whether mail of that class waits in Haraka's queue until the restriction of its tenant is lifted: with `hold`, what
 * would be refused if it came now.
 *
 * @param mailClass by `queuedClass`.
 * @param queuedAt ms since the epoch, by the clock of this host.
 */
export function isHeld(
  mailClass: MailClass,
  tenant: TenantMode,
  queuedAt: number,
  config: DecisionSettings,
): boolean {
  const { main, restriction } = config
  if (restriction.queued !== 'hold' || tenant.restricted === undefined) return false
  if (modeOfQueued(main, tenant, queuedAt) !== 'enforce') return false
  if (tenant.restricted === 'all') return true
  return CLASSES[mailClass].queue.held(config)
}

/**
 * The mode that counts for a message in the queue: what was accepted while enforcement is paused is delivered, and what
 * was held before goes on waiting.
 */
export function modeOfQueued(
  main: MainSettings,
  tenant: TenantMode | undefined,
  queuedAt: number,
): Mode {
  const isFromBefore = main.pause !== undefined && !(queuedAt >= main.pause.since)
  return isFromBefore ? modeDespitePause(main, tenant) : modeInEffect(main, tenant)
}
