/** A clock shared by all processes of a machine that never jumps, in ms. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

/** Begin and end, in ms of {@link now}. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** The overlap of two spans, in ms. */
export function overlap(one: Span, other: Span): number {
  return Math.max(0, Math.min(one.to, other.to) - Math.max(one.from, other.from))
}
