import { mapLimited } from '../../base/limiter'
import { KNOWN_CLASSES } from '../../mail/classes'
import { someTenants } from '../../operations/some-tenants'
import { HOUR, MINUTE, startOf } from '../../reporting/calendar'
import { addCounts, NOTHING as NONE, type Counts } from '../../reporting/counts'
import { ReportReader, type HourReport } from '../../reporting/reader'
import { serverTime } from '../../store/server-clock'
import { barChart } from '../kit/charts'
import { html, NOTHING, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import { heading, table } from '../kit/parts'
import { shared } from '../kit/shared'

const HOURS = 24
/** Tenants whose mail is added up, where there are more. */
const MOST_TENANTS = 100
/** Read at the same time. */
const PLACES = 16
const OUTCOMES = ['accepted', 'deferred', 'refused', 'refunded'] as const

/** The mail of all classes in each of the last hours, oldest first. It changes slowly, so it is read once a minute. */
const relayLately = shared(async ({ store }) => {
  const { ids, of } = await someTenants(store, MOST_TENANTS)
  const now = await serverTime(store.client)
  const first = startOf(now, HOUR) - (HOURS - 1) * HOUR
  const reports = new ReportReader(store)
  const read = await mapLimited(ids, PLACES, (id) => reports.hours(id, first, now + 1))
  const hours = Array.from({ length: HOURS }, (_, at) => ({
    start: first + at * HOUR,
    counts: NONE,
  }))
  for (const hour of read.flat()) {
    const sum = hours[(hour.at - first) / HOUR]
    if (sum) sum.counts = addCounts(sum.counts, allOf(hour))
  }
  return { hours, looked: ids.length, of }
}, MINUTE)

function allOf(hour: HourReport): Counts {
  return KNOWN_CLASSES.reduce((sum, each) => addCounts(sum, hour[each]), NONE)
}

/** The last 24 hours of the relay. */
export async function relaySection(visit: Visit): Promise<Html> {
  const { hours, looked, of } = await relayLately(visit)
  const sum = hours.reduce((all, { counts }) => addCounts(all, counts), NONE)
  return html`${heading(visit, 'relayLately')}
  ${table(
    'The last 24 hours by outcome',
    ['Outcome', ...['Messages', 'Recipients'].map((title) => ({ title, isNumber: true }))],
    OUTCOMES.map((each) => [each, sum.messages[each], sum[each]]),
    '',
  )}
  ${barChart({
    ...{ id: 'relay', title: 'Recipients by the hour', unit: 'recipients', step: HOUR },
    starts: hours.map(({ start }) => start),
    series: OUTCOMES.map((each) => ({
      name: each,
      values: hours.map(({ counts }) => counts[each]),
    })),
  })}
  ${
    looked === of
      ? NOTHING
      : html`<p class="hint">
          Of ${of.toLocaleString('en-US')} tenants, ${looked} were added up: with the latest
          restrictions, on probation, and with the latest mail that is not registered.
        </p>`
  }`
}
