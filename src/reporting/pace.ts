import { grouped } from '../base/lists'
import { CLASSES } from '../mail/classes'
import { USUAL_METER } from '../mail/meters'
import { MINUTE, startOf } from './calendar'
import type { MinuteRow } from './minutes'
import { OTHER } from './rows'
import { attempts } from './sum'

/** How fast the mail of a tenant comes that the usual meter counts: recipients of the last 60 seconds. */
export interface Pace {
  /** Of every outcome but deferred ones, which come again. */
  readonly unregistered: number
  /** Those of these that were refused. */
  readonly refused: number
  /** Which connector most of them came through, as `tenant/name`; empty: none; `undefined`: there was no mail. */
  readonly connector: string | undefined
}

/** How far back the rows of {@link paceOf} are needed, in ms. */
export const PACE_SPAN = 2 * MINUTE

/**
 * Reports count by whole minutes: of the minute before this one, the part counts that lies in the last 60 seconds, as if
 * its mail had come evenly.
 *
 * @param now ms of Redis's clock.
 */
export function paceOf(rows: readonly MinuteRow[], now: number): Pace {
  const part = partOf(now)
  const recent = rows.filter((row) => CLASSES[row.class].meter === USUAL_METER && part(row) > 0)
  const sumOf = (some: readonly MinuteRow[], each: (row: MinuteRow) => number): number =>
    some.reduce((sum, row) => sum + part(row) * each(row), 0)
  const unregistered = (some: readonly MinuteRow[]): number =>
    sumOf(some, ({ counts }) => attempts(counts))
  const [first] = grouped(recent, ({ connector }) => connector)
    .map(([connector, theirs]) => ({ connector, recipients: unregistered(theirs) }))
    .filter(({ recipients }) => recipients > 0)
    .sort(
      (a, b) =>
        Number(a.connector === OTHER) - Number(b.connector === OTHER) ||
        b.recipients - a.recipients,
    )
  return {
    unregistered: unregistered(recent),
    refused: sumOf(recent, refusedIn),
    connector: first?.connector,
  }
}

/** Recipients of all classes that were refused in the last 60 seconds. @param now ms of Redis's clock. */
export function refusedPace(rows: readonly MinuteRow[], now: number): number {
  const part = partOf(now)
  return rows.reduce((sum, row) => sum + part(row) * refusedIn(row), 0)
}

/** How much of a minute lies in the last 60 seconds: from 0 to 1. */
function partOf(now: number): (row: MinuteRow) => number {
  const minute = startOf(now, MINUTE)
  const passed = (now - minute) / MINUTE
  return ({ at }) => (at === minute ? 1 : at === minute - MINUTE ? 1 - passed : 0)
}

/** A message refused at MAIL counts as one recipient. */
function refusedIn({ counts }: MinuteRow): number {
  return Math.max(counts.refused, counts.messages.refused)
}
