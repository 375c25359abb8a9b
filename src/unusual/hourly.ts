import { DAY, HOUR } from '../reporting/calendar'
import { KNOWN_CLASSES, watchedBy, type KnownClass } from '../mail/classes'
import type { Counts } from '../reporting/counts'
import type { HourReport } from '../reporting/reader'
import { BASELINE } from './span'

/** The classes that count as unregistered mail for the rules. */
export const UNREGISTERED = watchedBy('volume')

/** On how many of seven days an hour must have had mail, for its absence to be unusual. */
const USUAL_DAYS = 4

/** Recipients, hour by hour. */
export class Hourly {
  private readonly counts: ReadonlyMap<number, number>

  /**
   * @param countOf by default accepted recipients: how many the plugin refused or deferred says nothing about a tenant.
   */
  constructor(
    hours: readonly HourReport[],
    classes: readonly KnownClass[],
    countOf: (counts: Counts) => number = ({ accepted }) => accepted,
  ) {
    this.counts = new Map(
      hours.map((hour) => [hour.at, classes.reduce((sum, each) => sum + countOf(hour[each]), 0)]),
    )
  }

  /** @param hour start in ms. */
  in(hour: number): number {
    return this.counts.get(hour) ?? 0
  }

  /** The sum of the hours that begin in `from` ≤ t < `to`; `from` is the start of an hour. */
  sum(from: number, to: number): number {
    let sum = 0
    for (let hour = from; hour < to; hour += HOUR) sum += this.in(hour)
    return sum
  }

  /** The busiest hour of the baseline before `hour`. */
  busiestHour(hour: number): number {
    let most = 0
    for (let at = hour - BASELINE; at < hour; at += HOUR) most = Math.max(most, this.in(at))
    return most
  }

  /** The busiest 24 hours in the baseline before `hour`, from any hour on. */
  busiestDay(hour: number): number {
    let most = 0
    for (let at = hour - BASELINE; at + DAY <= hour; at += HOUR) {
      most = Math.max(most, this.sum(at, at + DAY))
    }
    return most
  }
}

/**
 * The number of hours of the 24 before without any mail, though there usually is some at that time of day. Mail held back
 * in those hours may come all at once.
 */
export function missedHours(hours: readonly HourReport[], hour: number): number {
  const all = new Hourly(hours, KNOWN_CLASSES)
  let missed = 0
  for (let at = hour - DAY; at < hour; at += HOUR) {
    if (all.in(at) > 0) continue
    let usual = 0
    for (let days = 1; days <= 7; days++) if (all.in(at - days * DAY) > 0) usual++
    if (usual >= USUAL_DAYS) missed++
  }
  return missed
}
