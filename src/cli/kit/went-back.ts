import { shortTime } from '../../base/time'
import { spanOfLoss, type LostReport, type PutBack } from '../../registry/lost-changes'

/** From when to when Redis has gone back in time, for people. */
export function spanText(report: LostReport): string {
  const { from, to } = spanOfLoss(report)
  const state = from === 0 ? 'before its first change' : `to its state of ${shortTime(from)}`
  return `Redis has gone back in time, ${state}: it had changes up to ${shortTime(to)}`
}

/** What a process has put back, for people. */
export function putBackText({ subject, what, case: name, time }: PutBack): string {
  const of = name === '' ? '' : ` (case ${name})`
  return `the ${what} of ${subject}${of} of ${shortTime(time)}`
}
