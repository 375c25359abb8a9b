import { DAY, HOUR, startOf } from '../reporting/calendar'

/** How long before a moment rules look for what is usual, in ms: a week. */
export const BASELINE = 7 * DAY

/** Starts of the last 24 clock hours in ms, oldest first; the last one is the current hour. */
export function lastDay(now: number): number[] {
  const current = startOf(now, HOUR)
  return Array.from({ length: 24 }, (_, at) => current - (23 - at) * HOUR)
}
