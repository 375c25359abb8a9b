export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000

/**
 * The numbers of all minutes, hours or days that overlap `from` ≤ t < `to`, oldest first. Times in ms.
 *
 * @param length {@link MINUTE}, {@link HOUR} or {@link DAY}.
 */
export function numbersBetween(from: number, to: number, length: number): number[] {
  if (to <= from) return []
  const first = Math.floor(from / length)
  const past = Math.ceil(to / length)
  return Array.from({ length: past - first }, (_, at) => first + at)
}

/** The start of the minute, hour or day that `time` lies in. */
export function startOf(time: number, length: number): number {
  return Math.floor(time / length) * length
}
