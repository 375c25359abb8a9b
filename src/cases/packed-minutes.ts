import { grouped } from '../base/lists'
import { MINUTE, startOf } from '../reporting/calendar'
import { packNumbers, unpackNumbers } from '../reporting/counts'
import type { MinuteRow } from '../reporting/minutes'

/** Minutes of one class and connector: each its distance from the restriction in minutes, and its eight numbers. */
export type PackedMinutes = Pick<MinuteRow, 'class' | 'connector'> & {
  readonly minutes: readonly (readonly number[])[]
}

/** @param at when the tenant was restricted, in ms. */
export function packMinutes(rows: readonly MinuteRow[], at: number): PackedMinutes[] {
  const restricted = startOf(at, MINUTE)
  return grouped(rows, (row) => `${row.class} ${row.connector}`).map(([, some]) => ({
    ...{ class: some[0]!.class, connector: some[0]!.connector },
    minutes: some.map((row) => [(row.at - restricted) / MINUTE, ...packNumbers(row.counts)]),
  }))
}

/** The reverse of {@link packMinutes}. */
export function unpackMinutes(packed: readonly PackedMinutes[], at: number): MinuteRow[] {
  const restricted = startOf(at, MINUTE)
  return packed
    .flatMap(({ minutes, ...of }) =>
      minutes.map(([distance = 0, ...numbers]) => {
        const start = restricted + distance * MINUTE
        return { at: start, ...of, counts: unpackNumbers(numbers, start, start) }
      }),
    )
    .sort((a, b) => a.at - b.at)
}
