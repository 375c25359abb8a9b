import { DAY } from '../reporting/calendar'
import { Hourly, UNREGISTERED } from './hourly'
import type { History } from './history'
import { lastDay } from './span'
import { recipients } from './words'

/** How much unregistered mail the last 24 hours brought, beside what the tenant sends anyway. */
export interface OnTop {
  readonly total: number
  /** In the busiest 24 hours of the seven days before. */
  readonly usual: number
}

/**
 * Whether what a new source sent comes on top of the rest: on the day of a migration it comes in place of it.
 *
 * @param before the seven days before this hour are what is usual.
 * @param least so much must be on top.
 */
export function onTop(
  { now, hours }: Pick<History, 'now' | 'hours'>,
  before: number,
  least: number,
): OnTop | undefined {
  const sent = new Hourly(hours, UNREGISTERED)
  const from = lastDay(now)[0]!
  const total = sent.sum(from, from + DAY)
  const usual = sent.busiestDay(before)
  return total >= usual + least ? { total, usual } : undefined
}

/** The same in words. */
export function describeOnTop({ total, usual }: OnTop): string {
  return `all together ${total} in 24 hours, where ${usual === 0 ? 'there were none' : `at most ${recipients(usual)} were usual`}`
}
