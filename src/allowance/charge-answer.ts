/** The answers of the charge script; `allowance/lua/charge.lua` says what each means. */
export type ChargeAnswer =
  | 'CHARGED'
  | 'TRIPPED'
  | 'RESTRICTED'
  | 'ZERO'
  | 'DEFER'
  | 'FULL'
  | 'REGISTERED'
  | 'STALE'
  | 'EXPIRED'
  | 'OFF'
  | 'GONE'

/** Recipients counted in one window, and how many may be. */
export interface WindowCount {
  readonly used: number
  readonly limit: number
  /** ms */
  readonly window: number
}

export interface ChargeResult {
  readonly answer: Exclude<ChargeAnswer, 'STALE'>
  /** Recipients counted in `window`, this one included where it was charged. */
  readonly used: number
  readonly limit: number
  /** ms; 0: no window (unlimited) */
  readonly window: number
  /** With CHARGED: every window. Empty where the same recipient was charged before. */
  readonly windows: readonly WindowCount[]
  /** With CHARGED, in monitor: the first moment in which the tenant would have been restricted. */
  readonly firstWouldTrip: boolean
  /** With RESTRICTED: the scope. */
  readonly scope: 'unregistered' | 'all'
  /** The list of accepted domains is another than the caller's: it should be loaded anew. */
  readonly stale: boolean
}

/** The words of the script's reply: `answer time used limit window`, and what follows CHARGED. */
export type ChargeReply = readonly string[]

/**
 * Reads a reply.
 *
 * @param stale what {@link ChargeResult} says of it.
 */
export function decodeAnswer(reply: ChargeReply, stale: boolean): ChargeResult {
  const answer = reply[0] as ChargeResult['answer']
  const isRestricted = answer === 'RESTRICTED'
  return {
    answer,
    used: isRestricted ? 0 : Number(reply[2] ?? 0),
    limit: Number(reply[3] ?? 0),
    window: Number(reply[4] ?? 0),
    windows: decodeWindows(reply),
    firstWouldTrip: reply[5] === '1',
    scope: isRestricted && reply[2] === 'all' ? 'all' : 'unregistered',
    stale,
  }
}

function decodeWindows(reply: ChargeReply): WindowCount[] {
  const windows: WindowCount[] = []
  for (let at = 6; at + 2 < reply.length; at += 3) {
    windows.push({
      used: Number(reply[at]),
      limit: Number(reply[at + 1]),
      window: Number(reply[at + 2]),
    })
  }
  return windows
}
