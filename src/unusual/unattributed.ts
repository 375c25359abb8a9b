import { createHash } from 'node:crypto'
import type { AttributionSettings } from '../decision/settings'
import type { UnattributedEvent } from '../records/event'
import type { Duty } from '../base/duty'
import { grouped } from '../base/lists'
import { DAY, HOUR } from '../reporting/calendar'
import { OTHER } from '../reporting/rows'
import { total } from '../reporting/sum'
import { readUnattributedMail, type UnattributedRow } from '../reporting/unattributed'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import type { ConnectorIndex } from '../directory/connector-index'

/** How often it is looked, in ms. */
const EVERY = 60_000
/** Of one day: more of them are one matter, and would push other events out of the stream. */
const MOST_USERS = 100

/** What is needed of the process that looks. */
export interface UnattributedContext {
  readonly store: Store
  readonly config: () => { readonly attribution: AttributionSettings }
  /** `undefined`: not known yet. */
  readonly connectors: () => ConnectorIndex | undefined
  /** Puts an event into the stream: once for each id, however often it is called. */
  readonly publish: (event: UnattributedEvent) => Promise<unknown>
}

/**
 * Tells of AUTH users whose mail belongs to no tenant, by the report of such mail: it passes uncounted, or it is deferred
 * since several connectors have a user that differs in its spelling only. Each user is told once a day.
 */
export class UnattributedUsers implements Duty {
  readonly name = 'AUTH users without a tenant'
  readonly every = EVERY
  private day = 0
  /** Ids of the day's events. */
  private readonly told = new Set<string>()

  constructor(private readonly context: UnattributedContext) {}

  /** @throws where Redis gave no answer: the next run goes on. */
  async run(): Promise<void> {
    const { store, publish } = this.context
    const now = await serverTime(store.client)
    const day = Math.floor(now / DAY)
    if (day !== this.day) this.told.clear()
    this.day = day
    // What was sent last yesterday may have been recorded today.
    const { rows } = await readUnattributedMail(store, now - HOUR, now)
    for (const [user, all] of grouped(rows, (row) => row.user)) {
      if (user === '' || user === OTHER) continue
      const event = this.eventOf(user, all, now)
      if (!event || this.told.has(event.id)) continue
      if (this.told.size >= MOST_USERS) return
      await publish(event)
      this.told.add(event.id)
    }
  }

  /** `undefined`: there is nothing to tell, or not any more. */
  private eventOf(
    user: string,
    rows: readonly UnattributedRow[],
    at: number,
  ): UnattributedEvent | undefined {
    const { config, connectors: known } = this.context
    const connectors = known()
    if (!connectors) return undefined
    const { auth } = config().attribution
    // It has got its connector since.
    if (auth && connectors.byAuth(user)) return undefined
    const alike = auth ? connectors.alike(user) : []
    const { messages: all, lastSeen } = total(rows)
    const messages = alike.length > 1 ? all.deferred : all.accepted
    if (messages === 0) return undefined
    return {
      ...{ kind: 'unattributed', id: idOf(user, lastSeen), at },
      ...{ user, ip: rows[0]!.ip, messages },
      ...(alike.length > 1 && { connectors: alike.length }),
    }
  }
}

function idOf(user: string, lastSeen: number): string {
  const seed = `unattributed\t${Math.floor(lastSeen / DAY)}\t${user}`
  return `evt_${createHash('sha1').update(seed).digest('hex').slice(0, 20)}`
}
