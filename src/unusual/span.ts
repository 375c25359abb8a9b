import { DAY, HOUR, startOf } from '../reporting/calendar'

/** What a rule compares a moment with: the days before it, as many as a week has. */
export const BASELINE = 7 * DAY

/** The last 24 hours by the clock, of which the one that is not over is the last: their starts in ms, oldest first. */
export function lastDay(now: number): number[] {
  const current = startOf(now, HOUR)
  return Array.from({ length: 24 }, (_, at) => current - (23 - at) * HOUR)
}
