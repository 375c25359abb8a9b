import { isoTime } from '../../base/time'
import { pauseInEffect, type PauseRead } from '../../enforcement/pause'

/** A pause as JSON; `null`: none is in effect. */
export function pauseView(read: PauseRead): object | null {
  const pause = pauseInEffect(read)
  if (!pause) return null
  const { first, until, by, reason, everything } = pause
  return { since: isoTime(first / 1000), until: isoTime(until), by, reason, everything }
}
