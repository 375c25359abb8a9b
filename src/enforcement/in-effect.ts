import { shortTime } from '../base/time'
import { isOverridden, type TenantMode } from '../mail/mode'
import type { MainSettings, PauseInEffect } from '../mail/settings'
import { pauseInEffect, type PauseRead } from './pause'

/** A pause of enforcement that is in effect. */
export interface Pause extends PauseInEffect {
  /** It also lets pass what persons have restricted or blocked, and what is held. */
  readonly everything: boolean
}

/** The pause that Redis, or the snapshot file, says; `undefined`: none is in effect. */
export function toPause(read: Omit<PauseRead, 'denied'>): Pause | undefined {
  const change = pauseInEffect(read)
  if (!change) return undefined
  const { everything, until, first } = change
  return { everything, until, since: Date.now() - (read.now - first / 1000) }
}

/**
 * The configuration with a pause: it wins over the modes of tenants, but not over `[main] override` of the ini file.
 *
 * @param pause `undefined`: there is none.
 */
export function withPause<C extends { readonly main: MainSettings }>(
  config: C,
  pause: Pause | undefined,
): C {
  if (!pause || config.main.override !== undefined) return config
  const { everything, since, until } = pause
  const override = everything ? 'monitor' : 'pause'
  return { ...config, main: { ...config.main, override, pause: { since, until } } }
}

/** The reverse of {@link withPause}. */
export function withoutPause<C extends { readonly main: MainSettings }>(config: C): C {
  const { pause, ...main } = config.main
  return pause ? { ...config, main: { ...main, override: undefined } } : config
}

/** What wins over the mode of a tenant, in words; `undefined`: nothing does. */
export function overrideInWords(
  main: MainSettings,
  tenant: TenantMode | null | undefined,
): string | undefined {
  if (!isOverridden(main, tenant)) return undefined
  return main.pause ? `enforcement paused until ${shortTime(main.pause.until)}` : '[main] override'
}
