import { tenantctl } from '../../base/command-line'
import { InputError } from '../../base/errors'
import { SOURCE_CLASSES } from '../../mail/classes'
import { USUAL_DIMENSIONS, type ReportRequest } from '../../operations/report'
import { timeIn, type SpanOptions } from '../../operations/report-span'
import { DAY } from '../../reporting/calendar'
import { classFilter, parseFilter, type Filter } from '../../reporting/filter'
import type { Field } from '../kit/forms'

/** The longest span of a page, in days. */
const MOST_DAYS = 90

/** What can be filtered by a whole value or its start, and what people call it. */
const TEXTS = [
  ['connector', 'Inbound connector'],
  ['domain', 'Sender domain'],
  ['ip', 'Address'],
] as const

/** What the address of a report asks for. */
export interface ReportQuery {
  readonly request: ReportRequest
  readonly order: 'newest' | 'most'
  readonly bars: 'day' | 'hour'
  /** The command that shows the same. */
  readonly command: string
  /** The same query, for links. */
  readonly query: Readonly<Record<string, string>>
  /** The form that asks, with what was asked. */
  readonly fields: readonly Field[]
}

/** @throws {InputError} */
export function reportQuery(tenant: string, given: URLSearchParams): ReportQuery {
  const query = Object.fromEntries(
    [...given].map(([name, value]) => [name, value.trim()] as const).filter(([, value]) => value),
  )
  const span = spanIn(query)
  const texts = TEXTS.flatMap(([key]) => {
    const value = query[key]
    return value === undefined ? [] : [`${key}${isStart(query, key) ? '^' : ''}=${value}`]
  })
  const filters: Filter[] = texts.map(parseFilter)
  const only = query['class']
  if (only !== undefined) filters.push(classFilter(only))
  return {
    request: { ...span, tenant, by: USUAL_DIMENSIONS, filters },
    order: query['order'] === 'most' ? 'most' : 'newest',
    bars: query['bars'] === 'hour' ? 'hour' : 'day',
    command: tenantctl(
      ...['report', tenant],
      ...Object.entries(span).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ...texts.flatMap((text) => ['--where', text]),
      ...(only === undefined ? [] : ['--class', only]),
    ),
    query,
    fields: fieldsOf(query),
  }
}

/** A browser sends the field with the days in any case: days and times of one's own win. @throws {InputError} */
function spanIn({ days, from, to }: Readonly<Record<string, string>>): SpanOptions {
  if (from === undefined && to === undefined) {
    if (Number(days ?? 0) > MOST_DAYS) throw tooLong()
    return days === undefined ? {} : { days }
  }
  const end = to === undefined ? Date.now() : timeIn('--to', to, DAY)
  if (from !== undefined && end - timeIn('--from', from, 0) > MOST_DAYS * DAY) throw tooLong()
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
}

function tooLong(): InputError {
  return new InputError(
    `a page shows ${MOST_DAYS} days at most: ask for fewer, or use ${tenantctl('report')}`,
  )
}

function isStart(query: Readonly<Record<string, string>>, key: string): boolean {
  return query[`${key}_is`] === 'start'
}

function fieldsOf(query: Readonly<Record<string, string>>): Field[] {
  const { days = '', from = '', to = '', order = '', bars = '' } = query
  return [
    { kind: 'text', name: 'days', label: 'Days (UTC), today among them', value: days || '7' },
    {
      ...{ kind: 'text', name: 'from', label: 'Or from', value: from },
      hint: 'A day or a time, such as 2026-11-24 or 2026-11-24T15:00Z',
    },
    { kind: 'text', name: 'to', label: 'Until', value: to },
    {
      ...{ kind: 'choice', name: 'class', label: 'Class', value: query['class'] ?? '' },
      values: [['', 'all'], ...SOURCE_CLASSES.map((each) => [each, each] as const)],
    },
    ...TEXTS.flatMap(([key, label]): Field[] => [
      {
        ...{ kind: 'choice', name: `${key}_is`, value: isStart(query, key) ? 'start' : 'is' },
        label,
        values: [
          ['is', 'is'],
          ['start', 'starts with'],
        ],
      },
      {
        kind: 'text',
        name: key,
        label: `this ${key === 'ip' ? 'address' : key}`,
        value: query[key] ?? '',
      },
    ]),
    {
      ...{ kind: 'choice', name: 'order', label: 'First', value: order },
      values: [
        ['newest', 'the newest'],
        ['most', 'the most recipients'],
      ],
    },
    {
      ...{ kind: 'choice', name: 'bars', label: 'Bars', value: bars },
      values: [
        ['day', 'by day'],
        ['hour', 'by hour, the last two days'],
      ],
    },
  ]
}
