import { connectorName } from '../mail/identities'
import { batchesOf } from '../base/lists'
import { CLASSES, LOOKED_CLASSES, type LookedClass } from '../mail/classes'
import { MAIL_INCLUDES } from '../mail/scripts'
import { readScript, type Script } from '../store/script'
import type { Store } from '../store/store'
import type { Batch } from './batch'
import * as bounds from './bounds'
import { DAY, HOUR } from './calendar'
import type { HeaderFroms } from './header-froms'
import { MailIndexWriter } from './mail-index'
import type { Sources } from './sources'
import type { UnattributedBatch } from './unattributed-batch'

const RECORD = readScript(__dirname, 'record', MAIL_INCLUDES)
const RECORD_UNATTRIBUTED = readScript(__dirname, 'record_unattributed')
const NOTE_REPORTED = readScript(__dirname, 'note_reported')

/** At the border of an hour, the first reply gives the time that the second call needs. */
const ATTEMPTS = 3
/** Tenants added to the index in one call: Lua can unpack at most 8000 values. */
const BATCH = 1000

const BOUNDS = [
  ...[bounds.MOST_DOMAINS, bounds.MOST_ADDRESSES, bounds.MOST_USERS],
  ...[bounds.MOST_ROWS, bounds.MOST_DOMAIN_ROWS, bounds.MOST_CONNECTOR_ROWS],
  ...[bounds.MOST_SAMPLED, bounds.MOST_SAMPLES, bounds.MOST_CONNECTORS],
  ...[bounds.MOST_OWNED, bounds.MOST_HEADER_FROM, bounds.MOST_HEADER_FROM_ROWS],
  bounds.MOST_MINUTE_ROWS,
].join(' ')

/** Server time in ms; `gone`: there is no such tenant. */
export type Recorded = number | 'gone'

/** Adds batches to the reports in Redis. */
export class Recorder {
  /** Has what is new in the reports that were recorded. */
  readonly mailIndex: MailIndexWriter
  /** Server time minus the monotonic clock in ms, by the last reply; before the first, by the local clock. */
  private offset = Date.now() - performance.now()

  /** @param days how many days reports are kept. */
  constructor(
    private readonly store: Store,
    private readonly days: () => number,
  ) {
    this.mailIndex = new MailIndexWriter(store)
  }

  /**
   * Adds a batch to the reports of a tenant.
   *
   * @param flush process and number of its flush, joined by a space; the same one again changes nothing.
   * @throws where Redis gave no answer; a second call is safe.
   */
  record(tenant: string, batch: Batch, flush: string): Promise<Recorded> {
    const { keys } = this.store
    const ttls = [bounds.HOURS_TTL, bounds.daysTtl(this.days()), bounds.SEEN_TTL]
    const ttl = [...ttls, bounds.MINUTES_TTL].join(' ')
    return this.run(RECORD, tenant, batch, HOUR, (hour) => {
      const ofHour = keys.reportHour(tenant, hour)
      const day = Math.floor(hour / 24)
      const ofDay = keys.reportDay(tenant, day)
      return {
        keys: [
          ...[keys.tenant(tenant), keys.flushes(tenant)],
          ...[ofHour, keys.reportOthers(ofHour), ofDay, keys.reportOthers(ofDay)],
          ...[keys.samples(tenant, day), keys.seen(tenant), keys.domains(tenant)],
          keys.reportMinutes(tenant, hour),
        ],
        args: [
          ...[flush, hour, agesOf(batch), ttl, BOUNDS],
          [...batch.totals]
            .flatMap(([of, { rows }]) =>
              [...rows].map(([connector, numbers]) => [of, numbers, connector] as const),
            )
            .map(
              ([of, numbers, connector]) =>
                `${CLASSES[of].letter}\t${String(numbers)}\t${connector}`,
            )
            .join('\n'),
          [...batch.sources.rows].map(([row, numbers]) => withNumbers(row, numbers)).join('\n'),
          [...batch.sources.names].join(' '),
          [...batch.connectors]
            .map(([id, expires]) => `${connectorName(id)}\t${expires}`)
            .join('\n'),
          [...batch.samples]
            .flatMap(([row, samples]) => samples.map((sample) => `${row}\t${sample}`))
            .join('\n'),
          batch.owned ? linesOf(batch.owned)[0] : '',
          ...LOOKED_CLASSES.flatMap((each) => headerFromsOf(each, batch.headerFroms.get(each))),
        ],
      }
    })
  }

  /** The same for mail without a tenant. */
  recordUnattributed(batch: UnattributedBatch, flush: string): Promise<Recorded> {
    const { keys } = this.store
    return this.run(RECORD_UNATTRIBUTED, '', batch, DAY, (day) => {
      const ofDay = keys.unattributedDay(day)
      return {
        keys: [keys.unattributedFlushes, ofDay, keys.reportOthers(ofDay)],
        args: [
          ...[flush, day, agesOf(batch), bounds.daysTtl(this.days()), bounds.MOST_UNATTRIBUTED],
          ...linesOf(batch.sources),
        ],
      }
    })
  }

  /**
   * Adds tenants with other mail than registered to their index, each with the server time.
   *
   * @throws where Redis gave no answer; a second call is safe.
   */
  async noteReported(tenants: ReadonlyMap<string, number>): Promise<void> {
    const { keys } = this.store
    const ttl = bounds.daysTtl(this.days())
    for (const batch of batchesOf([...tenants], BATCH)) {
      const args = batch.flatMap(([tenant, time]) => [time, tenant])
      await this.store.run(NOTE_REPORTED, [keys.reported], [ttl, ...args])
    }
  }

  private async run(
    script: Script,
    tenant: string,
    { begun }: { readonly begun: number },
    length: number,
    callOf: (number: number) => { readonly keys: string[]; readonly args: (string | number)[] },
  ): Promise<Recorded> {
    for (let attempt = 1; ; attempt++) {
      const number = Math.floor((begun + this.offset) / length)
      const call = callOf(number)
      const reply = (await this.store.run(script, call.keys, call.args)) as string
      const [line = '', ...news] = reply.split('\n')
      const [answer, time] = line.split(' ')
      this.offset = Number(time) - performance.now()
      if (answer === 'GONE') return 'gone'
      if (answer === 'TAKEN') {
        this.mailIndex.add(Math.floor((number * length) / DAY), tenant, news)
        return Number(time)
      }
      if (attempt === ATTEMPTS) throw new Error('the clock of Redis jumps')
    }
  }
}

function agesOf({ begun, ended }: { readonly begun: number; readonly ended: number }): string {
  const now = performance.now()
  return `${Math.round(now - begun)} ${Math.round(now - ended)}`
}

/** Letter of the fields, numbers of messages, lines. */
function headerFromsOf(of: LookedClass, headerFroms: HeaderFroms | undefined): string[] {
  if (!headerFroms) return []
  const { looked, mismatched, rows } = headerFroms
  const lines = [...rows].map(([row, messages]) => `${messages}\t${row}`)
  return [CLASSES[of].headerFrom!.letter, `${looked} ${mismatched}`, lines.join('\n')]
}

/** Class, numbers, source. */
function withNumbers(row: string, numbers: unknown): string {
  return `${row[0]}\t${String(numbers)}${row.slice(1)}`
}

function linesOf({ rows, names }: Sources): [string, string] {
  return [
    [...rows].map(([row, numbers]) => `${String(numbers)}\t${row}`).join('\n'),
    [...names].join('\n'),
  ]
}
