import type { Command } from 'commander'
import type { Entry } from '../../records/event-entry'
import type { Alert, Severity } from '../../records/event'
import { StreamReader } from '../../events/stream-reader'
import { troubleOf, isNotAllowed } from '../../store/failure'
import type { Store } from '../../store/store'
import { assertKnown } from '../../operations/tenants'
import { isoTime, shortTime } from '../../base/time'
import { allRows } from '../kit/all-rows'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import type { Cell, Output, Tone } from '../kit/output'
import { NO_TENANT } from '../kit/statuses'

/** How long one call to Redis waits for events, in ms: well below COMMAND_TIMEOUT. */
const BLOCK = 5000
/** How long to wait before asking a Redis that did not answer again, in ms. */
const RETRY_AFTER = 1000

const TONES: Readonly<Record<Severity, Tone | undefined>> = {
  High: 'bad',
  Medium: 'warn',
  Low: undefined,
  Informational: 'faint',
}

interface EventsOptions {
  readonly tenant?: string
  readonly follow?: boolean
}

/** `tenantctl events` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('events')
    .description('alerts of the last 30 days, the newest last')
    .option('--tenant <tenant>', 'only of this tenant, also one that has been removed')
    .addOption(allRows())
    .option('--follow', 'then print new ones as they come, until Ctrl-C')
    .action(async ({ tenant, follow }: EventsOptions, self: Command) => {
      const context = contextOf(io, self)
      const isAskedFor = ({ alert }: Entry): boolean =>
        tenant === undefined || alert.tenant === tenant
      await context.connected(async (store) => {
        const reader = new StreamReader(store)
        const entries: Entry[] = []
        for await (const entry of reader.unread()) if (isAskedFor(entry)) entries.push(entry)
        if (tenant !== undefined && entries.length === 0) await assertKnown(store, tenant)
        if (follow) await goOn(context, store, reader, entries, isAskedFor)
        else printAll(context.out, entries)
      })
    })
  manual(command, {
    examples: ['events', 'events --tenant contoso', 'events --follow', 'events --follow --json'],
    json: [
      'an array, with --follow one object a line, of:',
      'id: of the event; alert: the id of the alert that it began or has joined',
      'kind: allowance | restricted | lifted | unusual | unattributed | resolved | unreadable | went_back |',
      '  many_restricted | host_missing | paused | test; redis_trouble is delivered only, and not here',
      'severity: Informational | Low | Medium | High; title; tenant, or empty; at',
      'count: events of the alert until then; joined: it was not delivered on its own',
      'snoozed: null, or {until, by}: it was not delivered, see tenantctl alert snooze',
      'facts: by its kind; escalated: true among them where a tenant was restricted within probation',
      'next: what to do, one line each; resolves: id of the event that it ends; continues: of the one that it repeats',
    ],
    exit: NO_TENANT,
  })
}

function viewOf({ alert: { snoozed, ...alert }, joined }: Entry): object {
  return {
    ...alert,
    joined: joined && !snoozed,
    snoozed: snoozed ? { ...snoozed, until: isoTime(snoozed.until) } : null,
  }
}

/** The title, and that the alert was not delivered. */
function titleOf({ title, snoozed }: Alert): string {
  if (!snoozed) return title
  return `${title} (snoozed by ${snoozed.by} until ${shortTime(snoozed.until)})`
}

function printAll(out: Output, entries: readonly Entry[]): void {
  out.result(entries.map(viewOf), () =>
    out.table(
      ['WHEN', 'SEVERITY', 'KIND', 'COUNT', 'WHAT'],
      entries.map(({ alert }): Cell[] => [
        shortTime(Date.parse(alert.at)),
        cell(alert.severity, TONES[alert.severity]),
        alert.kind,
        { text: alert.count > 1 ? String(alert.count) : '', right: true },
        titleOf(alert),
      ]),
      'no events',
    ),
  )
}

function cell(text: string, tone: Tone | undefined): Cell {
  return tone === undefined ? text : { text, tone }
}

/** Ends at Ctrl-C or when its output cannot be written, but not when Redis goes away. */
async function goOn(
  context: Context,
  store: Store,
  reader: StreamReader,
  entries: readonly Entry[],
  isAskedFor: (entry: Entry) => boolean,
): Promise<void> {
  const { out, io } = context
  const print = (entry: Entry): void => {
    if (out.json) out.object(viewOf(entry))
    else printOne(out, entry)
  }
  entries.forEach(print)
  let ended = false
  const interrupted = new Promise<void>((resolve) => io.onInterrupt(resolve))
  const end = Promise.race([interrupted, io.stdout.failed]).then(() => {
    ended = true
    store.client.disconnect()
  })
  while (!ended) {
    try {
      for (const entry of await reader.wait(BLOCK)) if (isAskedFor(entry)) print(entry)
    } catch (error) {
      if (ended) break
      const trouble = troubleOf(error)
      if (!trouble || isNotAllowed(error)) throw error
      await Promise.race([end, new Promise((resolve) => setTimeout(resolve, RETRY_AFTER))])
    }
  }
}

function printOne(out: Output, { alert, joined }: Entry): void {
  const { at, severity, kind, count, next } = alert
  const times = count > 1 ? ` (${count} within 15 minutes)` : ''
  out.line(
    `${shortTime(Date.parse(at))}  ${severity.padEnd(13)}  ${kind.padEnd(10)}  ${titleOf(alert)}${times}`,
    TONES[severity],
  )
  if (severity === 'High' && !joined) for (const step of next) out.line(`    ${step}`, 'faint')
}
