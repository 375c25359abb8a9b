import type { Defaults } from '../allowance/ledger'
import type { Config } from './config'

/** {@link defaultsOf} the configuration of now: the same object as long as that is the same. */
export function defaultsOfNow(config: () => Config): () => Defaults {
  let from: Config | undefined
  let defaults: Defaults | undefined
  return () => {
    const now = config()
    if (from !== now || !defaults) {
      from = now
      defaults = defaultsOf(now)
    }
    return defaults
  }
}

/** What counts for a tenant that has no limits or mode of its own. */
export function defaultsOf(
  config: Pick<Config, 'main' | 'allowance' | 'null' | 'forwarded'>,
): Defaults {
  return {
    limits: config.allowance.limits,
    nullLimits: config.null.limits,
    mode: config.main.mode,
    override: config.main.override,
    warnAt: config.allowance.warnAt,
    acceptsForwards: config.forwarded.whenRestricted === 'accept',
  }
}
