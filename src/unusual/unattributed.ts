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

/** Time between runs, in ms. */
const EVERY = 60_000
/** Most users reported in a day: more have one cause, and would push other events out of the stream. */
const MOST_USERS = 100

/** What the duty needs of its process. */
export interface UnattributedContext {
  readonly store: Store
  readonly config: () => { readonly attribution: AttributionSettings }
  /** `undefined`: not loaded yet. */
  readonly connectors: () => ConnectorIndex | undefined
  /** Puts an event into the stream, once for each id. */
  readonly publish: (event: UnattributedEvent) => Promise<unknown>
}

/**
 * Raises an event, once a day, for each AUTH user in the report of mail without a tenant: its mail passes uncounted, or is
 * deferred since several connectors have a user that differs in its spelling only.
 */
export class UnattributedUsers implements Duty {
  readonly name = 'AUTH users without a tenant'
  readonly every = EVERY
  private day = 0
  /** Ids of the day's events. */
  private readonly published = new Set<string>()

  constructor(private readonly context: UnattributedContext) {}

  /** @throws where Redis gave no answer; the next run continues. */
  async run(): Promise<void> {
    const { store, publish } = this.context
    const now = await serverTime(store.client)
    const day = Math.floor(now / DAY)
    if (day !== this.day) this.published.clear()
    this.day = day
    // Mail of the end of yesterday may have been recorded today.
    const { rows } = await readUnattributedMail(store, now - HOUR, now)
    for (const [user, all] of grouped(rows, (row) => row.user)) {
      if (user === '' || user === OTHER) continue
      const event = this.eventOf(user, all, now)
      if (!event || this.published.has(event.id)) continue
      if (this.published.size >= MOST_USERS) return
      await publish(event)
      this.published.add(event.id)
    }
  }

  /** `undefined`: nothing to report, or no longer. */
  private eventOf(
    user: string,
    rows: readonly UnattributedRow[],
    at: number,
  ): UnattributedEvent | undefined {
    const { config, connectors: indexOf } = this.context
    const connectors = indexOf()
    if (!connectors) return undefined
    const { auth } = config().attribution
    // It has a connector now.
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
