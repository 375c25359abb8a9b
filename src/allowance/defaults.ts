import { defaultLimitsIn } from '../mail/meters'
import type { Defaults } from './ledger'
import type { AllowanceSettings } from './settings'

/** {@link defaultsOf} the configuration in effect: the same object until that changes. */
export function defaultsOfNow(settings: () => AllowanceSettings): () => Defaults {
  let from: AllowanceSettings | undefined
  let defaults: Defaults | undefined
  return () => {
    const now = settings()
    if (from !== now || !defaults) {
      from = now
      defaults = defaultsOf(now)
    }
    return defaults
  }
}

/** What a tenant has that has no limits or mode of its own. */
export function defaultsOf(settings: AllowanceSettings): Defaults {
  return {
    ...defaultLimitsIn(settings),
    mode: settings.main.mode,
    override: settings.main.override,
    warnAt: settings.allowance.warnAt,
    forwards: settings.forwarded.enabled ? settings.forwarded.whenRestricted : 'off',
  }
}
