import { shortTime } from '../base/time'
import { pauseInEffect, type PauseChange, type PauseRead } from './pause'

/** `enforcement is paused until …, by ann: reason`; `undefined`: it is not. */
export function pauseLine(read: Omit<PauseRead, 'denied'>): string | undefined {
  const pause = pauseInEffect(read)
  if (!pause) return undefined
  return `enforcement is paused until ${shortTime(pause.until)}, by ${pause.by}: ${pause.reason}`
}

/** What is refused in a pause all the same. */
export function stillRefused({ everything }: Pick<PauseChange, 'everything'>): string {
  return everything
    ? 'nothing is refused, and held mail is delivered'
    : 'nothing is refused but what a person has restricted or blocked; held mail stays held'
}
