import { setTimeout as sleep } from 'node:timers/promises'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'
import type { Forwarder, ForwarderEvents } from '../events/forwarder'
import type { Duty } from '../base/duty'

/** Between two thousands of tenants that are asked for, in ms: a million take some 1 % of a process that takes mail. */
const BREATH = 500

/** Tells of alerts that others have joined, when their 15 minutes are over. */
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
 * Finds events that nobody sees to: who raised them was killed, and no process has asked for the tenant since. A question
 * a tenant, in batches.
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
        await sleep(BREATH, undefined, { ref: false })
      }
    },
  }
}
