/** Base32 (RFC 4648 §6), which survives a change of case. */
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const DAY = 86_400_000
/** Two digits: the days repeat after this many. */
const CYCLE = 1024

/** How many days after its message a bounce is accepted: as in Mail::SRS, libsrs2 and postsrsd. */
const MAX_AGE = 21

/** The day of a time (ms) in two digits (Mail::SRS and libsrs2, `timestamp_create`). */
export function stampOf(time: number): string {
  const day = Math.floor(time / DAY) % CYCLE
  return DIGITS.charAt(day >> 5) + DIGITS.charAt(day & 31)
}

/**
 * Whether a stamp is at most {@link MAX_AGE} days old at this time (ms). One of tomorrow is valid too: the clock of the host
 * that created it may be past midnight already.
 */
export function isCurrent(stamp: string, time: number): boolean {
  if (!/^[a-z2-7]{2}$/i.test(stamp)) return false
  const [high, low] = [...stamp.toUpperCase()].map((digit) => DIGITS.indexOf(digit)) as [
    number,
    number,
  ]
  const today = Math.floor(time / DAY) % CYCLE
  const age = (today - (high * 32 + low) + CYCLE) % CYCLE
  return age <= MAX_AGE || age === CYCLE - 1
}
