import {
  NOTHING,
  paceOf,
  watch,
  type Pace,
  type Telling,
  type Watched,
} from '../../src/alerts/outage'
import { RegistryUnusable } from '../../src/directory/registry-monitor'
import { describe } from '../../src/events/words'
import { wentBackId } from '../../src/process/lost-duty'
import type { Alert, RedisTrouble } from '../../src/records/event'
import { eventId, resolvedId } from '../../src/records/event-id'
import { isOpen, readLost, reportMark } from '../../src/registry/lost-changes'
import { redisFailure } from '../../src/store/failure'
import type { Store } from '../../src/store/store'
import type { Engine } from '../../src/process/engine'

/** How long Redis may give no answer before people are told, in ms. */
const PATIENCE = 60_000
/** How often it is asked, in ms. */
const PERIOD = 5000
/** No person can have meant to lose the registry. In ms. */
const PATIENCE_OF_LOSS = PERIOD

const HOUR = 3_600_000

/** What a look at Redis has shown of one trouble. */
interface Sight {
  readonly lasts: boolean
  readonly reason?: string
  /** Id of the event in the stream that tells of it, and since when it lasts; absent: by this process. */
  readonly event?: { readonly id: string; readonly from: number; readonly isTold: boolean }
}

const CLEAR: Sight = { lasts: false }

/** What cannot be seen is absent: what is known of it stays. */
type Seen = Readonly<Partial<Record<RedisTrouble, Sight>>>

interface Known {
  readonly state: Watched
  /** Of the event that began it. */
  readonly id: string
  /** ms since the epoch */
  readonly from: number
}

const TROUBLES = ['away', 'lost', 'went_back'] as const

/** What a {@link RedisWatch} needs. */
export interface WatchContext {
  readonly engine: Pick<Engine, 'directory' | 'store'>
  /** Name of this Haraka. */
  readonly host: string
  /** Address of Redis. */
  readonly redis: string
  /** Delivers an alert without Redis. Must not throw. */
  readonly tell: (alert: Alert) => void
}

/**
 * Tells people that Redis is away, has lost the registry, or went back in time; in one process of each Haraka, from its memory:
 * alerts of the stream are in Redis. Never throws and never rejects.
 */
export class RedisWatch {
  private readonly known = new Map<RedisTrouble, Known>()
  private readonly lost: LostReports
  private timer: NodeJS.Timeout | undefined
  private looking = false

  /** @param patience in ms; people are told that it is over after as long. */
  constructor(
    private readonly context: WatchContext,
    private readonly patience = PATIENCE,
  ) {
    this.lost = new LostReports(context.engine.store)
  }

  start(): void {
    const period = Math.min(PERIOD, this.patience / 12)
    this.timer = setInterval(() => void this.turn(), period).unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private async turn(): Promise<void> {
    if (this.looking) return
    this.looking = true
    const seen = await this.look()
    this.looking = false
    for (const trouble of TROUBLES) {
      const sight = seen[trouble]
      if (sight) this.follow(trouble, sight)
    }
  }

  private async look(): Promise<Seen> {
    const { registry } = this.context.engine.directory
    try {
      await registry.check()
      return { away: CLEAR, lost: CLEAR, went_back: await this.lost.look() }
    } catch (error) {
      if (!(error instanceof RegistryUnusable)) {
        return { away: { lasts: true, reason: redisFailure(error) } }
      }
      return { away: CLEAR, lost: { lasts: registry.state === 'lost', reason: error.message } }
    }
  }

  private follow(trouble: RedisTrouble, { lasts, reason = '', event }: Sight): void {
    const known = this.known.get(trouble)
    const state = known?.state ?? NOTHING
    const pace = this.paceOf(trouble)
    const { after, tell } = watch(state, lasts, performance.now(), pace, event?.isTold)
    const { id, from } =
      known === undefined || state.since === undefined ? (event ?? this.begin(trouble)) : known
    this.known.set(trouble, { id, from, state: after })
    if (tell) this.context.tell(this.alertOf(trouble, { id, from }, tell, reason))
  }

  private begin(trouble: RedisTrouble): { id: string; from: number } {
    const from = Date.now()
    return { id: eventId('redis', trouble, this.context.host, from), from }
  }

  private paceOf(trouble: RedisTrouble): Pace {
    const pace = paceOf(this.patience)
    return trouble === 'lost'
      ? { ...pace, patience: Math.min(PATIENCE_OF_LOSS, this.patience) }
      : pace
  }

  private alertOf(
    trouble: RedisTrouble,
    { id: began, from }: Omit<Known, 'state'>,
    tell: Telling,
    reason: string,
  ): Alert {
    const at = Date.now()
    const { host, redis } = this.context
    const facts = { trouble, host, from }
    if (tell === 'over') {
      const id = resolvedId(began)
      const event = { kind: 'resolved', id, at, resolves: began, of: 'redis_trouble' } as const
      return { id, alert: id, count: 1, ...describe('', { ...event, ...facts }) }
    }
    const hours = Math.round((at - from) / HOUR)
    const id = tell === 'began' ? began : eventId('lasts', began, hours)
    const event = { kind: 'redis_trouble', id, at, ...facts, redis, reason } as const
    return { id, alert: began, count: 1, ...describe('', event) }
  }
}

/** Looks at the report of what Redis lost by going back in time. It may be long, and is read when it has changed. */
class LostReports {
  private mark: string | undefined
  private last = CLEAR

  constructor(private readonly store: Store) {}

  async look(): Promise<Sight> {
    const mark = await reportMark(this.store)
    if (mark === this.mark) return this.last
    const report = mark === undefined ? undefined : await readLost(this.store)
    this.mark = mark
    this.last = CLEAR
    if (!report || !isOpen(report)) return this.last
    const { since, told, version } = report
    const id = wentBackId(since, told || version)
    return (this.last = { lasts: true, event: { id, from: since, isTold: told > 0 } })
  }
}
