import type { Duty } from '../base/duty'
import { grouped } from '../base/lists'
import type { Forwarder } from '../events/forwarder'
import { removeDrained } from '../nodes/ended'
import { HEARTBEAT, hostOf, MISSING } from '../nodes/node'
import { eventId, resolvedId } from '../records/event-id'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'

/**
 * Tells people of a host of which every process is missing, and when it is back or was forgotten. A single process of a host
 * that is there is shown, but no alert: its Haraka starts another one.
 *
 * @param noted for how long all heartbeats of this process have been noted, in ms: after an outage of Redis all hosts seem
 *   to be missing.
 */
export function tellMissingHosts(
  store: Store,
  forwarder: Pick<Forwarder, 'publish'>,
  noted: () => number,
): Duty {
  const { client, keys } = store
  return {
    name: 'hosts that are missing',
    every: HEARTBEAT,
    run: async () => {
      if (noted() < MISSING) return
      const at = await serverTime(client)
      const [silent, told] = await Promise.all([
        client.zrangebyscore(keys.nodesSeen, '-inf', at - MISSING),
        client.hgetall(keys.nodesMissing),
      ])
      await removeDrained(store, silent)
      if (silent.length === 0 && Object.keys(told).length === 0) return
      const hosts = await hostsOf(store)
      for (const [host, { processes, since }] of hosts) {
        if (since > at - MISSING || host in told) continue
        const id = eventId('host_missing', host, since)
        await forwarder.publish('', { kind: 'host_missing', id, at, host, processes, since })
        await client.hset(keys.nodesMissing, host, id)
      }
      for (const [host, event] of Object.entries(told)) {
        const found = hosts.get(host)
        if (found && found.since <= at - MISSING) continue
        const ended = { resolves: event, of: 'host_missing', host, forgotten: !found } as const
        await forwarder.publish('', { kind: 'resolved', id: resolvedId(event), at, ...ended })
        await client.hdel(keys.nodesMissing, host)
      }
    },
  }
}

interface Host {
  readonly processes: number
  /** When the last of them was seen, in ms since the epoch, server time. */
  readonly since: number
}

async function hostsOf({ client, keys }: Store): Promise<Map<string, Host>> {
  const reply = await client.zrangebyscore(keys.nodesSeen, '-inf', '+inf', 'WITHSCORES')
  const seen = reply.flatMap((id, at) => (at % 2 === 0 ? { id, at: Number(reply[at + 1]) } : []))
  return new Map(
    grouped(seen, ({ id }) => hostOf(id)).map(([host, all]) => [
      host,
      { processes: all.length, since: Math.max(...all.map((each) => each.at)) },
    ]),
  )
}
