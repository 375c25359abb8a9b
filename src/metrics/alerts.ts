import { readBacklogs } from '../alerts/backlog'
import { channelsInUse } from '../alerts/in-use'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import type { Part } from './part'
import { single, type Samples } from './text'

/** Alerts on their way, and the events that they come from. */
export class Alerts implements Part {
  constructor(private readonly store: Store) {}

  async read(): Promise<Samples> {
    const { client, keys } = this.store
    const [now, stored, all, inUse] = await Promise.all([
      serverTime(client),
      client.xlen(keys.events),
      readBacklogs(this.store),
      channelsInUse(this.store),
    ])
    // For one that was switched off alerts wait for ever.
    const backlogs = all.filter(({ channel }) => inUse?.has(channel) ?? true)
    return {
      events_stored: single(stored),
      alerts_waiting: backlogs.map(({ channel, waiting }) => ({
        labels: { channel },
        value: waiting,
      })),
      alerts_oldest_waiting_seconds: backlogs.map(({ channel, since = now }) => ({
        labels: { channel },
        value: Math.max(0, now - since) / 1000,
      })),
    }
  }
}
