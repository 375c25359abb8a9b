import { readWentBack } from '../../operations/lost-changes'
import { subjectText } from '../../registry/lost-changes'
import type { Store } from '../../store/store'
import { putBackText, spanText } from '../kit/went-back'
import { fail, ok, type Line } from './line'

const MOST_NAMED = 5

/** Checks whether Redis has gone back in time, and whether a person has to resolve some of that. */
export async function checkLost(store: Store): Promise<Line> {
  const report = await readWentBack(store)
  if (!report) return ok('lost', 'Redis has not gone back in time')
  const { changes, missing, putBack } = report
  const lost = changes.filter(({ state }) => state === 'lost').map(({ subject }) => subject)
  const parts = [
    spanText(report),
    ...listed('put back', putBack.map(putBackText)),
    ...listed('lost, and known to Haraka', [...new Set(lost)]),
    ...listed(
      'missing',
      missing.map(({ subject }) => subjectText(subject)),
    ),
  ]
  if (!report.isOpen) return ok('lost', parts.join('; '))
  return fail('lost', parts.join('; '), 'tenantctl registry status shows it, and what to do')
}

function listed(what: string, all: readonly string[]): string[] {
  if (all.length === 0) return []
  const named = all.slice(0, MOST_NAMED).join(', ')
  const more = all.length - MOST_NAMED
  return [`${what}: ${named}${more > 0 ? ` and ${more} more` : ''}`]
}
