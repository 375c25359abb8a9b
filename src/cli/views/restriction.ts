import { formatWindow } from '../../mail/limits'
import type { Restriction } from '../../allowance/restriction'
import type { NamedMeter } from '../../mail/meters'
import type { Trigger } from '../../mail/trigger'
import { isoTime } from '../../base/time'

/** What crossed which limit, as JSON. */
export interface TriggerView {
  /** Such as `1h`. */
  readonly window: string
  readonly limit: number
  readonly used: number
  readonly domain: string | null
  readonly connector: string | null
  readonly ip: string | null
  /** Absent: the usual one. */
  readonly meter?: NamedMeter
}

/** A restriction, as JSON. */
export interface RestrictionView {
  /** ISO 8601 UTC */
  readonly since: string
  readonly by: string
  readonly reason: string
  readonly scope: Restriction['scope']
  readonly trigger: TriggerView | null
  /** `tenant:number`; `null` where it is older than cases. */
  readonly case: string | null
}

export function restrictionView(restriction: Restriction): RestrictionView {
  const { since, by, reason, scope, trigger } = restriction
  return {
    since: isoTime(since),
    by,
    reason,
    scope,
    trigger: trigger ? triggerView(trigger) : null,
    case: restriction.case || null,
  }
}

export function triggerView(trigger: Trigger): TriggerView {
  return {
    window: formatWindow(trigger.window),
    limit: trigger.limit,
    used: trigger.used,
    domain: trigger.domain || null,
    connector: trigger.connector || null,
    ip: trigger.ip || null,
    ...(trigger.meter && { meter: trigger.meter }),
  }
}
