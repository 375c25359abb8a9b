import { readFields } from '../records/event-entry'
import type { Alert } from '../records/event'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { SCHEDULE, type Schedule } from './schedule'

const TURN = readScript(__dirname, 'alerts_turn')

/** An entry of the event stream to deliver now. */
export interface DueAlert {
  /** Id of the stream entry. */
  readonly id: string
  /** Number of attempts, this one included. */
  readonly tries: number
  /** It joined an open alert and is not delivered on its own. */
  readonly joined: boolean
  /** `undefined`: unreadable. */
  readonly alert: Alert | undefined
}

/** The result of an attempt, for Redis. */
export interface DeliveryResult {
  readonly tries: number
  /** The number of tries to count on from, where it is not that. */
  readonly countFrom?: number
  /** Step of the schedule that it waits for, from 1 on; 0: it is done. */
  readonly step: number
}

export interface Turn {
  /** ms, server time */
  readonly now: number
  /** Number of entries that left the stream undelivered. */
  readonly gone: number
  readonly due: readonly DueAlert[]
}

/** Where the alerts of one channel wait. */
export interface Queue {
  readonly schedule: Schedule
  /**
   * Records results and claims what is due. Recording a result twice changes nothing.
   *
   * @param room most entries to claim.
   */
  turn(results: ReadonlyMap<string, DeliveryResult>, room: number): Promise<Turn>
}

/** The delivery queue of one channel: its consumer group on the event stream. */
export class AlertQueue implements Queue {
  /** Where a new group begins: at first, with the next event. */
  private since = '$'

  constructor(
    private readonly store: Store,
    private readonly channel: string,
    readonly schedule = SCHEDULE,
  ) {}

  /**
   * See {@link Queue.turn}.
   *
   * @throws what ioredis throws. Nothing is lost: an entry claimed without an answer is due again after the lease.
   */
  async turn(results: ReadonlyMap<string, DeliveryResult>, room: number): Promise<Turn> {
    const { lease, steps } = this.schedule
    const reply = await this.store.run(
      TURN,
      [this.store.keys.events],
      [
        ...[this.channel, room, this.since, lease, steps.length, ...steps],
        ...[...results].flatMap(([id, { tries, step, countFrom = tries }]) => [
          ...[id, tries, step, countFrom],
        ]),
      ],
    )
    const [now, gone, entries] = reply as [number, number, [string, number, string[]][]]
    // If Redis loses the stream, the new group begins here. Events of this same millisecond may not be in the reply.
    this.since = `${now - 1}-0`
    return { now, gone, due: entries.map(toDueAlert) }
  }
}

function toDueAlert([id, tries, fields]: [string, number, string[]]): DueAlert {
  return { id, tries, ...readFields(fields) }
}
