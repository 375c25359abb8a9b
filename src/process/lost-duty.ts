import type { Duty } from '../base/duty'
import type { Forwarder } from '../events/forwarder'
import type { Affected, WentBack, WentBackEvent } from '../records/event'
import { eventId } from '../records/event-id'
import {
  forgetPutBack,
  hasUntold,
  isOpen,
  noteTold,
  readLost,
  spanOfLoss,
  type LostReport,
} from '../registry/lost-changes'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'

/** In ms: two primaries may both answer for a moment. */
const NOT_BEFORE = 5000
/** Subjects named in an event. */
const MOST_NAMED = 5

/**
 * Tells people of a Redis that went back in time, again whenever more is known of it: an event if something is lost, else
 * a line in the log.
 *
 * @param onWentBack nothing is lost: all of it was put back.
 */
export function tellLost(
  store: Store,
  forwarder: Pick<Forwarder, 'publish'>,
  onWentBack: (facts: WentBack) => void,
): Duty {
  return {
    name: 'changes that Redis has lost',
    every: 5000,
    run: async () => {
      if (!(await hasUntold(store))) return
      const report = await readLost(store)
      if (!report) return
      const at = await serverTime(store.client)
      if (at < report.since + NOT_BEFORE) return
      const facts = factsOf(report)
      if (!isOpen(report)) onWentBack(facts)
      else
        await forwarder.publish('', {
          kind: 'went_back',
          id: wentBackId(report.since, report.version),
          at,
          ...facts,
        })
      await noteTold(store, report.version)
    },
  }
}

/** Forgets an old report with nothing left to resolve. */
export function forgetOldReport(store: Store): Duty {
  return { name: 'old reports of lost changes', every: 3_600_000, run: () => forgetPutBack(store) }
}

function factsOf(report: LostReport): WentBack {
  const { lost, missing, putBack } = report
  return {
    ...spanOfLoss(report),
    ...{ putBack: affected(putBack), lost: affected(lost), missing: affected(missing) },
  }
}

function affected(list: readonly { readonly subject: string }[]): Affected {
  const subjects = list.map(({ subject }) => subject).sort()
  return { count: list.length, subjects: subjects.slice(0, MOST_NAMED) }
}

/** The id of the event about a version of the report: the same in every process. */
export function wentBackId(since: number, version: number): WentBackEvent['id'] {
  return eventId('went_back', since, version)
}
