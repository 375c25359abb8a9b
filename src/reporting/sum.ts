import { DAY, HOUR, startOf } from './calendar'
import { sumOf, type Counts } from './counts'
import { grouped } from '../base/lists'
import type { DatedRow } from './reader'
import { OTHER, type Row, type Source } from './rows'

/** What rows can be added up by. */
export type Dimension = keyof Source | 'class' | 'day' | 'hour'

/** The sum of all rows with the same value. */
export interface Sum<K extends string | number> {
  /** That value; of a day or an hour, its start in ms. */
  readonly key: K
  readonly counts: Counts
}

/** Adds up rows by a dimension: days and hours oldest first, else the most recipients first and `(other)` last. */
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

export function total(rows: readonly { readonly counts: Counts }[]): Counts {
  return sumOf(rows.map(({ counts }) => counts))
}

/** Recipients of every outcome. */
export function recipients({ accepted, deferred, refused, refunded }: Counts): number {
  return accepted + deferred + refused + refunded
}

/**
 * Attempted recipients without deferred ones, which are tried again. A message refused at MAIL counts as one recipient.
 */
export function attempts({ accepted, refused, refunded, messages }: Counts): number {
  return Math.max(
    accepted + refused + refunded,
    messages.accepted + messages.refused + messages.refunded,
  )
}

/** Messages of every outcome. */
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
