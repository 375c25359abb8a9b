import type { Event, ManyRestrictedEvent } from '../records/event'
import { eventId } from '../records/event-id'

/** Of more restrictions than this within {@link MANY_SPAN}, the others are one alert. */
export const MANY = 10
/** ms */
export const MANY_SPAN = 300_000

/** How long before the first restriction a change may be its cause, in ms. */
const LATELY = 3_600_000

/** What the script says of many restrictions: since when, and the latest tenants. */
export type Many = readonly [string, ...string[]]

/** Reads what was changed of tenants since a time, in words. */
export type ReadChanges = (tenants: readonly string[], since: number) => Promise<readonly string[]>

/** The event about the many restrictions that this one is one of. */
export async function manyRestricted(
  { id, at }: Event,
  [since, ...tenants]: Many,
  changedSince: ReadChanges,
): Promise<ManyRestrictedEvent> {
  const from = Number(since)
  const changed = await changedSince(tenants, from - LATELY)
  return { kind: 'many_restricted', id: eventId('many', id), at, from, tenants, changed }
}
