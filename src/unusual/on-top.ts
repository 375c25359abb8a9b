import { DAY } from '../reporting/calendar'
import { Hourly, UNREGISTERED } from './hourly'
import type { History } from './history'
import { lastDay } from './span'
import { recipients } from './words'

/** Recipients of unregistered mail in the last 24 hours, compared with usual days. */
export interface OnTop {
  readonly total: number
  /** Those of the busiest 24 hours of the seven days before. */
  readonly usual: number
}

/**
 * Whether the mail of a new source is additional. After a migration it replaces that of the old source.
 *
 * @param before start of an hour; the seven days before it are the usual days.
 * @param least how many recipients must be additional.
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

export function describeOnTop({ total, usual }: OnTop): string {
  return `all together ${total} in 24 hours, where ${usual === 0 ? 'there were none' : `at most ${recipients(usual)} were usual`}`
}
