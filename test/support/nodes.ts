import { hostOf, LATE, type NodeFacts } from '../../src/nodes/node'
import { serverTime } from '../../src/store/server-clock'
import type { Store } from '../../src/store/store'

/** What a process says of itself that has just been started. */
export function aNode(facts: Partial<NodeFacts> = {}): NodeFacts {
  const { id = 'mx1/a' } = facts
  return {
    id,
    host: hostOf(id),
    pid: 4711,
    worker: 1,
    role: 'worker',
    draining: false,
    started: Date.now(),
    clock: Date.now(),
    boot: 'kernel pid:[1]',
    versions: { plugin: '1.1.0', haraka: '3.3.4', node: '20.20.2' },
    config: { digest: 'd1', ofHost: 'h1', changed: 0 },
    redis: '127.0.0.1:6379',
    mode: 'enforce',
    override: '',
    pause: { mark: 0, paused: false },
    registry: { state: 'usable', epoch: 'e1' },
    connectors: 3,
    tenants: 2,
    applied: 0,
    heard: 0,
    counters: {
      ...{ accepted: 0, refused: 0, deferred: 0, undecided: {} },
      ...{ refundsWaiting: 0, dropped: 0, reportsWaiting: 0, held: 0 },
    },
    charge: null,
    loop: null,
    ...facts,
  }
}

/** Writes the heartbeat of a process, that many ms ago. */
export async function beat(
  store: Store,
  facts: Pick<NodeFacts, 'id'> & Partial<NodeFacts>,
  ago = 0,
): Promise<void> {
  const { client, keys } = store
  const clock = (await serverTime(client)) - ago
  await client.hset(keys.nodes, facts.id, JSON.stringify(aNode({ clock, ...facts })))
  await client.zadd(keys.nodesSeen, clock, facts.id)
}

/** A heartbeat that is late. */
export const LONG_AGO = 4 * LATE
