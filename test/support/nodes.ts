import { LATE, type NodeFacts } from '../../src/nodes/node'
import { serverTime } from '../../src/store/server-clock'
import type { Store } from '../../src/store/store'

const FACTS: Omit<NodeFacts, 'id'> = {
  ...{ host: 'mx1', pid: 1, worker: 1, role: 'worker', draining: false },
  ...{ started: 0, clock: 0, boot: 'boot', redis: 'redis:6379', mode: 'enforce', override: '' },
  versions: { plugin: '1.1.0', haraka: '3.3.4', node: '20.0.0' },
  config: { digest: '', changed: 0 },
  pause: { mark: 0, paused: false },
  registry: { state: 'usable', epoch: '' },
  ...{ connectors: 0, tenants: 0, applied: 0 },
  counters: {
    ...{ accepted: 0, refused: 0, deferred: 0, undecided: {} },
    ...{ refundsWaiting: 0, dropped: 0, reportsWaiting: 0 },
  },
  ...{ charge: null, loop: null },
}

/** Writes the heartbeat of a process, that many ms ago. */
export async function beat(
  store: Store,
  facts: Pick<NodeFacts, 'id'> & Partial<NodeFacts>,
  ago = 0,
): Promise<void> {
  const { client, keys } = store
  await client.hset(keys.nodes, facts.id, JSON.stringify({ ...FACTS, ...facts }))
  await client.zadd(keys.nodesSeen, (await serverTime(client)) - ago, facts.id)
}

/** A heartbeat that is late. */
export const LONG_AGO = 4 * LATE
