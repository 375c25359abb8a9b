import type { KnownClass } from '../../mail/classes'
import type { Counts } from '../../reporting/counts'
import { isoDay, isoTime } from '../../base/time'
import type { Field } from './csv'
import { brief, type Cell } from '../kit/output'

const KINDS = ['accepted', 'deferred', 'refused', 'refunded'] as const

type Numbers = Readonly<Record<(typeof KINDS)[number], number>>

/** Counts, as JSON. */
export interface CountsView {
  readonly messages: Numbers
  readonly recipients: Numbers
  /** ISO 8601 UTC; null: never */
  readonly first_seen: string | null
  readonly last_seen: string | null
}

export function countsView(counts: Counts): CountsView {
  const { firstSeen, lastSeen } = counts
  return {
    messages: numbersOf(counts.messages),
    recipients: numbersOf(counts),
    first_seen: firstSeen === 0 ? null : isoTime(firstSeen),
    last_seen: lastSeen === 0 ? null : isoTime(lastSeen),
  }
}

function numbersOf({ accepted, deferred, refused, refunded }: Numbers): Numbers {
  return { accepted, deferred, refused, refunded }
}

/** The counts of some classes of mail, as JSON. */
export function countsByClass(
  of: Readonly<Record<KnownClass, Counts>>,
  classes: readonly KnownClass[],
): object {
  return Object.fromEntries(classes.map((each) => [each, countsView(of[each])]))
}

/** For the help of a command. */
export const COUNTS_FIELDS = [
  'messages, recipients: {accepted, deferred, refused, refunded}; a message is what the best',
  '  of its recipients was; refunded: its recipients were accepted, but not the message',
  'first_seen, last_seen: in the requested span',
]

export const COUNTS_COLUMNS = [
  ...KINDS.map((kind) => `messages_${kind}`),
  ...KINDS.map((kind) => `recipients_${kind}`),
  'first_seen',
  'last_seen',
]

/** A record of {@link COUNTS_COLUMNS}. */
export function countsRecord(counts: Counts): Field[] {
  const view = countsView(counts)
  return [
    ...KINDS.map((kind) => view.messages[kind]),
    ...KINDS.map((kind) => view.recipients[kind]),
    view.first_seen,
    view.last_seen,
  ]
}

/** Columns of a table for people. Columns about refusals appear only where there are any. */
export class CountsColumns {
  private readonly kinds: readonly (typeof KINDS)[number][]
  readonly head: readonly string[]

  constructor(all: readonly Counts[]) {
    this.kinds = KINDS.filter(
      (kind) =>
        kind === 'accepted' || all.some((counts) => counts[kind] + counts.messages[kind] > 0),
    )
    this.head = this.kinds.map((kind) => kind.toUpperCase())
  }

  cells(counts: Counts): Cell[] {
    return this.kinds.map((kind) => ({ text: pair(counts, kind), right: true }))
  }
}

/** What {@link CountsColumns} show. */
export const LEGEND = 'Counts are messages/recipients.'

/** Messages and recipients. */
export function pair(counts: Counts, kind: (typeof KINDS)[number]): string {
  return `${counts.messages[kind]}/${counts[kind]}`
}

/** A time of day; with its day where the table does not show the day. */
export function moment(time: number, withDay: boolean): string {
  if (time === 0) return '-'
  const ofDay = `${isoTime(time).slice(11, 16)}Z`
  return withDay ? `${isoDay(time)} ${ofDay}` : ofDay
}

/** The first ones, and how many more there are, for a cell. */
export function some(values: readonly string[], most: number): string {
  const more = values.length - most
  const first = values.slice(0, most).map(brief).join(', ')
  return more > 0 ? `${first} +${more}` : first
}

/** `12.3 %` */
export function percent(share: number | undefined): string {
  return share === undefined ? '-' : `${(share * 100).toFixed(1)} %`
}
