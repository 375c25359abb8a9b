/** A time as ISO 8601 UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

/** The same for people: whole seconds. */
export function shortTime(ms: number): string {
  return `${isoTime(ms).slice(0, 19)}Z`
}

/** The day of a time, UTC. */
export function isoDay(ms: number): string {
  return isoTime(ms).slice(0, 10)
}

/** A time to the minute. */
export function isoMinute(ms: number): string {
  return `${isoTime(ms).slice(0, 16)}Z`
}
