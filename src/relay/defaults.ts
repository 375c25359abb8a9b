import type { Defaults } from '../allowance/ledger'
import type { Config } from '../config'

/** What counts for a tenant that has no limits or mode of its own. */
export function defaultsOf(config: Config): Defaults {
  return {
    limits: config.allowance.limits,
    nullLimits: config.null.limits,
    mode: config.main.mode,
    override: config.main.override,
    warnAt: config.allowance.warnAt,
  }
}
