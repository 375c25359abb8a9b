import { readTenantAudit } from '../../audit/reader'
import { count } from '../../base/count'
import { clean } from '../../base/safe-text'
import { whoOf } from '../../cli/views/audit'
import { HOUR } from '../../reporting/calendar'
import { serverTime } from '../../store/server-clock'
import { recordedAs } from '../access/person'
import type { Question } from '../kit/action'
import { FIELDS } from '../kit/forms'
import { html } from '../kit/html'
import type { Visit } from '../kit/page'
import { time } from '../kit/parts'

/** No page is older, since no session is. In ms. */
const OLDEST = 12 * HOUR
const MOST_SHOWN = 20
/** What people look at is in the trail, and changes nothing. */
const READ: readonly string[] = ['queue shown', 'report exported']
/** What is kept of the name of a person, in characters. */
const NAME = 100

/**
 * What others have changed of a tenant since a page was read, and whether to go on; `undefined`: nothing. A person's own
 * changes, in another window too, are no news to them.
 *
 * @param seen when the page was read: ms, server time; empty: that does not matter.
 */
export async function changedSince(
  { store, person }: Visit,
  tenant: string | undefined,
  seen: string,
): Promise<Question | undefined> {
  if (tenant === undefined || !/^\d{1,15}$/.test(seen)) return undefined
  const now = await serverTime(store.client)
  const own = clean(recordedAs(person)).slice(0, NAME)
  const entries = await readTenantAudit(store, tenant, Math.max(Number(seen), now - OLDEST))
  const changes = entries.filter(({ note, what }) => note !== own && !READ.includes(what)).reverse()
  if (changes.length === 0) return undefined
  const more = changes.length - MOST_SHOWN
  return {
    title: `${tenant} was changed since you looked`,
    lines: [
      ...changes
        .slice(0, MOST_SHOWN)
        .map(
          (each) =>
            html`${time(each.at)} ${each.subject}:
            ${each.what}${each.to === '' ? '' : `: ${each.to}`} (by ${whoOf(each)})`,
        ),
      ...(more > 0 ? [`and ${count(more, 'more change')}`] : []),
      'Nothing of what you asked for is done yet.',
    ],
    yes: 'Go on all the same',
    // What is shown here may be of this very millisecond.
    fields: { [FIELDS.seen]: String(Math.max(now, changes[0]!.at + 1)) },
  }
}
