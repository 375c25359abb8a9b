import type { Scope } from '../mail/scope'
import { describeTrigger, type Trigger } from '../mail/trigger'

/** A trip in one line, for the audit trail. The reason of a trip within probation says so. */
export function tripWords(trip: {
  readonly scope: Scope
  readonly reason: string
  readonly trigger: Trigger | undefined
}): string {
  const parts = [`${trip.scope}: ${trip.reason}`]
  if (trip.trigger) parts.push(describeTrigger(trip.trigger))
  return parts.join('; ')
}
