import { CLASSES, type MailClass } from '../mail/classes'
import { NO_TENANT } from '../reporting/totals'
import type { Store } from '../store/store'
import type { Part } from './part'
import { single, type Sample, type Samples } from './text'

const CLASS_NAMES = Object.keys(CLASSES) as MailClass[]
/** Restrictions by who placed them, among the counts of events. */
const RESTRICTED_BY = 'restricted by'
const OUTCOMES = ['accepted', 'refused', 'deferred', 'refunded'] as const

/** The counters that all processes add to: see `reporting/totals.ts`. */
export class Counters implements Part {
  /** The latest version of the counters that was read. */
  private version = 0

  constructor(private readonly store: Store) {}

  async read(): Promise<Samples> {
    const { client, keys } = this.store
    const [fields, events] = await Promise.all([
      client.hgetall(keys.totals),
      client.hgetall(keys.eventCounts),
    ])
    const version = Number(fields['version'] ?? 0)
    // Redis went back in time: soon a process finds that, and they begin at 0. Older values would show as a fall, and what
    // follows as mail.
    if (version < this.version) return {}
    this.version = version
    return { ...mailCounters(fields), ...eventCounters(events) }
  }
}

type Fields = Readonly<Record<string, string>>

function mailCounters(fields: Fields): Samples {
  const at = (...words: string[]): number => Number(fields[words.join(' ')] ?? 0)
  const byClass = (unit: 'recipients' | 'messages'): Sample[] =>
    CLASS_NAMES.flatMap((name) =>
      OUTCOMES.map((outcome) => ({
        labels: { class: name, outcome },
        value: at(CLASSES[name].letter, outcome, unit),
      })),
    )
  const added = Number(fields['added'] ?? 0)
  return {
    recipients_total: byClass('recipients'),
    messages_total: byClass('messages'),
    unattributed_recipients_total: OUTCOMES.map((outcome) => ({
      labels: { outcome },
      value: at(NO_TENANT, outcome, 'recipients'),
    })),
    undecided_total: Object.entries(fields).flatMap(([field, value]) => {
      const [word, reason] = field.split(' ')
      return word === 'undecided' ? [{ labels: { reason: reason! }, value: Number(value) }] : []
    }),
    ...(added > 0 && { report_last_flush_timestamp_seconds: single(added / 1000) }),
  }
}

/** See `events/lua/include/entries.lua`. */
function eventCounters(fields: Fields): Samples {
  const counts = Object.entries(fields).map(([field, value]) => {
    const [kind = '', detail = ''] = field.split('\t')
    return { kind, detail, value: Number(value) }
  })
  const events = counts.filter(({ kind }) => kind !== RESTRICTED_BY)
  const lifts = events.filter(({ kind }) => kind === 'lifted')
  return {
    restrictions_total: (['automatic', 'person'] as const).map((by) => ({
      labels: { by },
      value: Number(fields[`${RESTRICTED_BY}\t${by}`] ?? 0),
    })),
    lifts_total: single(lifts.reduce((sum, { value }) => sum + value, 0)),
    events_total: events.map(({ kind, detail, value }) => ({
      labels: { kind, severity: detail },
      value,
    })),
  }
}
