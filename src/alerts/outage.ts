const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** When people are told of something that lasts, in ms. */
export interface Pace {
  /** How long it must have lasted. */
  readonly patience: number
  /** How long it must have been over: what comes back before goes on. */
  readonly calm: number
  /** They are told again this long after. */
  readonly again: number
  /** Two that begin one after the other are told of at least this far apart. */
  readonly apart: number
}

/** @param patience in ms. */
export function paceOf(patience: number): Pace {
  return { patience, calm: patience, again: HOUR, apart: 10 * MINUTE }
}

/** What is known of something that may begin and end any number of times. Times are monotonic, in ms. */
export interface Watched {
  /** Since when it lasts; absent: it does not. */
  readonly since?: number
  /** Since when it is over, and may come back. */
  readonly overSince?: number
  /** When people were told of it last. */
  readonly told?: number
  /** Until then they are not told that another one has begun. */
  readonly quietUntil: number
}

/** What to tell people: it has begun, it still lasts, it is over. */
export type Telling = 'began' | 'lasts' | 'over'

export const NOTHING: Watched = { quietUntil: -Infinity }

/**
 * Decides what to tell of something that lasts: when it has lasted for some time, again every hour, and once when it has been
 * over for some time. What ends sooner is not told of.
 *
 * @param lasts whether it is so now.
 * @param isTold people have been told of it in another way.
 */
export function watch(
  before: Watched,
  lasts: boolean,
  now: number,
  pace: Pace,
  isTold = false,
): { readonly after: Watched; readonly tell?: Telling } {
  const { since, told, overSince, quietUntil } = before
  if (!lasts) {
    if (told === undefined) return { after: { quietUntil } }
    if (overSince === undefined) return { after: { ...before, overSince: now } }
    if (now - overSince < pace.calm) return { after: before }
    return { after: { quietUntil }, tell: 'over' }
  }
  const lasting = { since: since ?? now, quietUntil, ...(told !== undefined && { told }) }
  if (told === undefined) {
    if (isTold) return { after: { ...lasting, told: now } }
    if (now - lasting.since < pace.patience || now < quietUntil) return { after: lasting }
    return { after: { ...lasting, told: now, quietUntil: now + pace.apart }, tell: 'began' }
  }
  if (now - told < pace.again) return { after: lasting }
  return { after: { ...lasting, told: now }, tell: 'lasts' }
}
