import { DAY, HOUR, startOf } from '../reporting/calendar'
import { sumBy } from '../reporting/sum'
import { connectorId } from '../mail/identities'
import { isoTime } from '../base/time'
import { describeOnTop, onTop } from './on-top'
import type { Rule } from './rule'
import { BASELINE } from './span'
import { date, recipients } from './words'

/** How long a connector is new. */
const NEW = 7 * DAY

/** Much unregistered mail through a connector that was recently added or changed. */
export const newConnector: Rule = {
  name: 'new_connector',
  needs: () => BASELINE,
  look(history, settings) {
    const { now, knownSince, rows, connectors } = history
    const least = settings.newConnector
    if (least === 0) return undefined
    const sums = new Map(sumBy(rows, 'connector').map(({ key, counts }) => [key, counts.accepted]))
    const unusual = connectors.flatMap((connector) => {
      const id = connectorId(connector.tenant, connector.name)
      const count = sums.get(id) ?? 0
      const since = connector.changedAt ?? connector.addedAt
      const before = startOf(since, HOUR)
      if (count < least || since < now - NEW || knownSince > before - BASELINE) return []
      const more = onTop(history, before, least)
      return more ? [{ id, count, since, more, changed: connector.changedAt !== undefined }] : []
    })
    const worst = unusual.sort((a, b) => b.count - a.count)[0]
    if (!worst) return undefined
    const { id, count, since, more, changed } = worst
    return {
      words: `${recipients(count)} of unregistered mail in 24 hours through ${id}, ${changed ? 'changed' : 'added'} on ${date(since)}; ${describeOnTop(more)}`,
      facts: {
        recipients: count,
        connector: id,
        [changed ? 'changed_at' : 'added_at']: isoTime(since),
        total: more.total,
        before: more.usual,
      },
    }
  },
}
