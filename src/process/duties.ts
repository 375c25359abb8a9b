import { setTimeout as sleep } from 'node:timers/promises'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'
import type { Forwarder, ForwarderEvents } from '../events/forwarder'
import type { Duty } from '../base/duty'

/** Pause between two batches of tenants, in ms: reading a million takes some 1 % of the time of a process. */
const PAUSE = 500

/** Publishes groups of alerts when their 15 minutes are over. */
export function closeGroups({ stream }: Forwarder, events: ForwarderEvents): Duty {
  return {
    name: 'alerts of several events',
    every: 5000,
    run: async () => {
      for (const alert of await stream.closeGroups()) events.onAlert(alert)
    },
  }
}

/**
 * Publishes events that were left behind: the process that raised them was killed, and no process has read the tenant since.
 * One command per tenant, in batches.
 */
export function forwardLeft(store: Store, forwarder: Forwarder): Duty {
  const { client, keys } = store
  return {
    name: 'events that were left',
    every: 60_000,
    run: async () => {
      for await (const tenants of scanSet(store, keys.tenants)) {
        const waiting = await Promise.all(
          tenants.map((tenant) => client.hget(keys.tenant(tenant), 'events')),
        )
        tenants.forEach((tenant, at) => {
          if (waiting[at]) forwarder.pending(tenant)
        })
        await sleep(PAUSE, undefined, { ref: false })
      }
    },
  }
}
