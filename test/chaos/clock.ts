/** A clock that all processes of a machine share and that never jumps, in ms. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

/** From when to when, in ms of {@link now}. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** How long two spans have in common, in ms. */
export function overlap(one: Span, other: Span): number {
  return Math.max(0, Math.min(one.to, other.to) - Math.max(one.from, other.from))
}
