import { DAY, HOUR, startOf } from './calendar'
import { addCounts, NOTHING, type Counts } from './counts'
import { grouped } from '../base/lists'
import type { DatedRow } from './reader'
import { OTHER, type Row, type Source } from './rows'

/** What rows can be added up by. */
export type Dimension = keyof Source | 'class' | 'day' | 'hour'

/** All rows that are alike in one way. */
export interface Sum<K extends string | number> {
  /** The value that they have in common; of a day or an hour, its start in ms. */
  readonly key: K
  readonly counts: Counts
}

/**
 * Adds rows up by what they have in common: by day or hour the oldest first, else the most recipients first and
 * `(other)` last.
 */
export function sumBy(rows: readonly DatedRow[], dimension: 'day' | 'hour'): Sum<number>[]
export function sumBy(rows: readonly DatedRow[], dimension: keyof Source | 'class'): Sum<string>[]
export function sumBy(
  rows: readonly DatedRow[],
  dimension: Dimension,
): Sum<number>[] | Sum<string>[] {
  if (dimension === 'day' || dimension === 'hour') {
    const length = dimension === 'day' ? DAY : HOUR
    return sumsBy(rows, ({ at }) => startOf(at, length)).sort((a, b) => a.key - b.key)
  }
  return sumsBy(rows, (row) => row[dimension]).sort(byRecipients)
}

/** All rows together. */
export function total(rows: readonly { readonly counts: Counts }[]): Counts {
  return rows.reduce((sum, { counts }) => addCounts(sum, counts), NOTHING)
}

/** All recipients, whatever became of them. */
export function recipients({ accepted, deferred, refused, refunded }: Counts): number {
  return accepted + deferred + refused + refunded
}

/**
 * Recipients that somebody tried to reach, but for those that were deferred, which come again. A message that was refused
 * at MAIL had one at least.
 */
export function attempts({ accepted, refused, refunded, messages }: Counts): number {
  return Math.max(
    accepted + refused + refunded,
    messages.accepted + messages.refused + messages.refunded,
  )
}

/** All messages, whatever became of them. */
export function messages({ messages: { accepted, deferred, refused, refunded } }: Counts): number {
  return accepted + deferred + refused + refunded
}

function sumsBy<T extends Row, K extends string | number>(
  rows: readonly T[],
  keyOf: (row: T) => K,
): Sum<K>[] {
  return grouped(rows, keyOf).map(([key, some]) => ({ key, counts: total(some) }))
}

/** The order of sums: the most recipients first, `(other)` last. */
export function byRecipients(a: Sum<string>, b: Sum<string>): number {
  return (
    Number(a.key === OTHER) - Number(b.key === OTHER) ||
    recipients(b.counts) - recipients(a.counts) ||
    (a.key < b.key ? -1 : 1)
  )
}
