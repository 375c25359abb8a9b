import { InputError } from '../base/errors'
import { HOURS_KEPT } from '../reporting/bounds'
import { DAY, HOUR, startOf } from '../reporting/calendar'
import { isoDay, isoMinute } from '../base/time'

/** The options about time. */
export interface SpanOptions {
  readonly days?: string
  readonly from?: string
  readonly to?: string
}

/** `from` ≤ t < `to`, in ms. */
export interface ReportSpan {
  readonly from: number
  readonly to: number
}

/** The same, with the length of the rows it is read from. */
export interface RowSpan extends ReportSpan {
  readonly step: 'hour' | 'day'
  /** How it differs from the request. */
  readonly note: string | undefined
}

/** As in Exchange Online's report. */
const USUAL_DAYS = 7

/**
 * The requested span: whole days (UTC) including today, unless a time of day is given.
 *
 * @param now Redis's clock, in ms.
 * @param kept how long reports are kept, in days.
 * @throws {InputError}
 */
export function spanOf(options: SpanOptions, now: number, kept: number): ReportSpan {
  const { from, to } = boundsOf(options, now, kept)
  if (from >= to) {
    throw new InputError(`--from ${iso(from)} is not before --to ${iso(to)}: the span is empty`)
  }
  if (from < firstDay(now, kept)) {
    throw new InputError(
      `--from ${iso(from)}: reports are kept for ${kept} days ([report] days), since ${iso(firstDay(now, kept))}`,
    )
  }
  return { from, to }
}

/** Rows by the hour where they are needed and kept, else by day. */
export function rowSpanOf({ from, to }: ReportSpan, now: number): RowSpan {
  if (from % DAY === 0 && to % DAY === 0) return { from, to, step: 'day', note: undefined }
  if (from >= firstHour(now)) return { from, to, step: 'hour', note: undefined }
  return {
    from: startOf(from, DAY),
    to: Math.ceil(to / DAY) * DAY,
    step: 'day',
    note: `what came from whom is kept by the hour since ${iso(firstHour(now))} only: whole days are shown`,
  }
}

/** @throws {InputError} where rows by the hour have expired. */
export function assertHourly({ from }: ReportSpan, now: number): void {
  if (from >= firstHour(now)) return
  throw new InputError(
    `--by hour with --where: what came from whom is kept by the hour for ${HOURS_KEPT} days, since ${iso(firstHour(now))}; ask from then on, or --by day`,
  )
}

function boundsOf({ days, from, to }: SpanOptions, now: number, kept: number): ReportSpan {
  const tomorrow = startOf(now, DAY) + DAY
  if (days !== undefined) {
    if (from !== undefined || to !== undefined) {
      throw new InputError('--days counts back from today: give it without --from and --to')
    }
    return { from: tomorrow - daysIn(days, kept) * DAY, to: tomorrow }
  }
  const end = to === undefined ? tomorrow : timeIn('--to', to, DAY)
  if (from !== undefined) return { from: timeIn('--from', from, 0), to: end }
  const usual = startOf(end - 1, DAY) + DAY - Math.min(USUAL_DAYS, kept) * DAY
  return { from: Math.max(usual, firstDay(now, kept)), to: end }
}

function daysIn(text: string, kept: number): number {
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= kept) return days
  throw new InputError(
    `--days "${text}" is not a whole number from 1 to ${kept}: reports are kept that long ([report] days)`,
  )
}

const DAY_ONLY = /^\d{4}-\d{2}-\d{2}$/
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/

/**
 * The time that an option names, in ms.
 *
 * @param ofDay what is added to the start of a day given without a time.
 * @throws {InputError}
 */
export function timeIn(option: string, text: string, ofDay: number): number {
  const isDay = DAY_ONLY.test(text)
  const time = isDay || TIME.test(text) ? Date.parse(text) : NaN
  // `Date` reads 30 February as a day in March.
  const day = text.slice(0, 10)
  if (Number.isNaN(time) || isoDay(Date.parse(day)) !== day) {
    throw new InputError(
      `${option} "${text}" is not a day or time: write it as 2026-11-24, or 2026-11-24T15:00Z`,
    )
  }
  return isDay ? time + ofDay : time
}

function firstDay(now: number, kept: number): number {
  return startOf(now, DAY) - kept * DAY
}

function firstHour(now: number): number {
  return startOf(now, HOUR) - HOURS_KEPT * DAY
}

function iso(time: number): string {
  return time % DAY === 0 ? isoDay(time) : isoMinute(time)
}
