import { readFields } from '../records/event-entry'
import type { Alert } from '../records/event'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import type { Schedule } from './schedule'

const TURN = readScript(__dirname, 'alerts_turn')

/** An entry of the stream of events that is to be delivered now. */
export interface Taken {
  /** Of the entry. */
  readonly id: string
  /** How often it has been tried, this time included. */
  readonly tries: number
  /** It joined an open alert, and is not delivered by itself. */
  readonly joined: boolean
  /** `undefined`: what is there cannot be read. */
  readonly alert: Alert | undefined
}

/** What has become of an entry that was taken. */
export interface Settled {
  readonly tries: number
  /** Of the schedule, from 1 on, for which it waits; 0: it is done. */
  readonly step: number
}

export interface Turn {
  /** ms, server time */
  readonly now: number
  /** Entries that fell out of the stream before they were delivered. */
  readonly gone: number
  readonly taken: readonly Taken[]
}

/** What one channel has to deliver: its consumer group on the stream of events. */
export class AlertQueue {
  /** Where a group begins that this process has not seen yet: at what comes from now on. */
  private since = '$'

  constructor(
    private readonly store: Store,
    private readonly channel: string,
    private readonly schedule: Schedule,
  ) {}

  /**
   * Settles, and takes what is due. Settling twice changes nothing.
   *
   * @throws what ioredis throws; nothing is lost then: what was taken all the same is taken again after the lease.
   */
  async turn(settled: ReadonlyMap<string, Settled>, room: number): Promise<Turn> {
    const { lease, steps } = this.schedule
    const reply = await this.store.run(
      TURN,
      [this.store.keys.events],
      [
        ...[this.channel, room, this.since, lease, steps.length, ...steps],
        ...[...settled].flatMap(([id, { tries, step }]) => [id, tries, step]),
      ],
    )
    const [now, gone, entries] = reply as [number, number, [string, number, string[]][]]
    // Where the stream is lost, and begins anew; what comes in this same millisecond is not in this reply.
    this.since = `${now - 1}-0`
    return { now, gone, taken: entries.map(toTaken) }
  }
}

function toTaken([id, tries, fields]: [string, number, string[]]): Taken {
  return { id, tries, ...readFields(fields) }
}
