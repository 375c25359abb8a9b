import { grouped } from '../../base/lists'
import { SOURCE_CLASSES } from '../../mail/classes'
import { connectorName } from '../../mail/identities'
import { readReports } from '../../operations/report'
import { MINUTES_KEPT } from '../../reporting/bounds'
import { DAY, HOUR, MINUTE, numbersBetween } from '../../reporting/calendar'
import { passes } from '../../reporting/filter'
import { ReportReader } from '../../reporting/reader'
import type { ReportLine } from '../../reporting/report'
import { attempts } from '../../reporting/sum'
import { barChart, MOST_SERIES, type Series } from '../kit/charts'
import { html, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import type { ReportQuery } from './report-query'

/** The most bars of hours: each is a key of some hundred rows. */
const MOST_HOURS = 48

/** Recipients through one connector in a minute, an hour or a day. */
interface Amount {
  /** Its start in ms. */
  readonly at: number
  /** Empty: none. */
  readonly connector: string
  readonly recipients: number
}

interface Span {
  /** `from` ≤ t < `to`, in ms. */
  readonly from: number
  readonly to: number
}

/**
 * By day or hour as asked, and the last two hours by the minute: recipients by connector.
 *
 * @param span `now`: server time in ms.
 */
export async function reportCharts(
  visit: Visit,
  query: ReportQuery,
  lines: readonly ReportLine[],
  { now, ...span }: Span & { readonly now: number },
): Promise<Html> {
  const last = { from: span.from, to: Math.min(span.to, now) }
  const first =
    query.bars === 'day'
      ? charted('by day (UTC)', DAY, last, amountsOf(lines, 'day'))
      : await byHour(visit, query, {
          ...{ from: Math.max(last.from, last.to - MOST_HOURS * HOUR), to: last.to },
        })
  return html`${first} ${await byMinute(visit, query, { from: now - MINUTES_KEPT, to: now })}`
}

async function byHour(
  { store, config }: Visit,
  { request }: ReportQuery,
  span: Span,
): Promise<Html> {
  const { tenants } = await readReports(
    store,
    {
      ...{ tenant: request.tenant, filters: request.filters, by: ['hour', 'connector'] },
      ...{ from: new Date(span.from).toISOString(), to: new Date(span.to).toISOString() },
    },
    config.report.days,
  )
  return charted('by hour', HOUR, span, amountsOf(tenants[0]!.lines, 'hour'))
}

function amountsOf(lines: readonly ReportLine[], length: 'day' | 'hour'): Amount[] {
  return lines.map(({ key, counts }) => ({
    at: key[length]!,
    connector: connectorName(key.connector!),
    recipients: attempts(counts),
  }))
}

async function byMinute({ store }: Visit, { request }: ReportQuery, span: Span): Promise<Html> {
  const filters = request.filters.filter(({ key }) => key === 'class' || key === 'connector')
  if (filters.length < request.filters.length) {
    return html`<p class="empty">
      By the minute it is not recorded which domains and addresses mail came from: without that
      filter, the last two hours are shown by the minute.
    </p>`
  }
  const rows = await new ReportReader(store).minutes(request.tenant!, span.from, span.to)
  const amounts = rows.flatMap(({ at, connector, counts, ...row }) => {
    const of = SOURCE_CLASSES.find((each) => each === row.class)
    if (of === undefined) return []
    const source = { domain: '', ip: '', user: '', connector, class: of }
    if (!passes(source, filters)) return []
    return [{ at, connector: connectorName(connector), recipients: attempts(counts) }]
  })
  return charted('by the minute, the last two hours', MINUTE, span, amounts)
}

function charted(
  title: string,
  step: number,
  { from, to }: Span,
  amounts: readonly Amount[],
): Html {
  const starts = numbersBetween(from, to, step).map((each) => each * step)
  return barChart({
    ...{ id: `by-${step}`, title: `Recipients ${title}, by connector`, unit: 'recipients' },
    ...{ starts, step, series: seriesOf(starts, amounts) },
  })
}

/** The connectors with the most recipients, and the others as one. */
function seriesOf(starts: readonly number[], amounts: readonly Amount[]): Series[] {
  const places = new Map(starts.map((start, at) => [start, at]))
  const sums = grouped(amounts, ({ connector }) => connector || '(none)').map(([name, some]) => {
    const values = starts.map(() => 0)
    for (const { at, recipients } of some) {
      const place = places.get(at)
      if (place !== undefined) values[place]! += recipients
    }
    return { name, values, all: values.reduce((sum, each) => sum + each, 0) }
  })
  sums.sort((a, b) => b.all - a.all)
  if (sums.length <= MOST_SERIES) return sums
  const rest = sums.slice(MOST_SERIES - 1)
  const others = {
    name: `${rest.length} others`,
    values: starts.map((_, at) => rest.reduce((sum, { values }) => sum + values[at]!, 0)),
  }
  return [...sums.slice(0, MOST_SERIES - 1), others]
}
