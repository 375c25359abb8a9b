import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { startRedis } from '../scripts/services/redis'
import type { Store } from '../src/store/store'
import type { Loaded, Order } from './loading-probe'
import { atMost, below, type Row, type Section } from './row'
import { seedConnectors, seedDomains } from './seed'
import { median } from './stats'
import { openStore } from './store'

const TENANT = 'contoso'
const PROBE = path.join(__dirname, 'loading-probe.ts')

/** One loading, seen from both sides. */
interface Run extends Loaded {
  /** The longest command of Redis meanwhile, in ms. */
  readonly redis: number
}

/** Whether what is large holds up a process, or Redis. */
export const loading: Section = {
  name: 'loading',
  title: 'Loading what is large',
  meaning:
    'A fresh process loads it from Redis as a worker of Haraka does, in the background, while its event loop turns ' +
    'without a pause. The stall is the longest turn: so long a session waits at most. Redis shows its longest command ' +
    '(SLOWLOG): so long everybody else waits. Medians of several processes; the highest in the last column.',
  async run({ domains: counts, connectors, loading: { runs } }, progress) {
    const domains = Math.max(...counts)
    const redis = await startRedis()
    try {
      const store = await openStore(redis.port)
      progress.say('seeding')
      await seedDomains(store, TENANT, domains)
      await seedConnectors(store, TENANT, connectors)
      const load = async (order: Omit<Order, 'port'>, expected: number): Promise<Run[]> => {
        const found: Run[] = []
        for (let run = 1; run <= runs; run++) {
          progress.say(`${order.tenant ? 'domains' : 'connectors'}, run ${run} of ${runs}`)
          found.push(await loadOnce(store, { port: redis.port, ...order }, expected))
        }
        return found
      }
      const ofTenant = await load({ tenant: TENANT }, domains)
      const ofIndex = await load({}, connectors)
      store.client.disconnect()
      return {
        rows: [
          ...rowsOf(`tenant with ${domains.toLocaleString('en-US')} domains`, ofTenant),
          ...rowsOf(`index of ${connectors.toLocaleString('en-US')} connectors`, ofIndex, 2_000),
        ],
      }
    } finally {
      await redis.stop()
    }
  },
}

async function loadOnce({ client }: Store, order: Order, expected: number): Promise<Run> {
  await client.call('CONFIG', 'SET', 'slowlog-log-slower-than', '100', 'slowlog-max-len', '10000')
  await client.call('SLOWLOG', 'RESET')
  const child = fork(PROBE)
  child.send(order)
  const [loaded] = (await once(child, 'message')) as [Loaded]
  if (loaded.items !== expected) throw new Error(`${loaded.items} of ${expected} were loaded`)
  const slow = (await client.call('SLOWLOG', 'GET', '-1')) as [number, number, number][]
  return { ...loaded, redis: Math.max(0, ...slow.map(([, , us]) => us)) / 1000 }
}

function rowsOf(what: string, runs: readonly Run[], mostMs?: number): Row[] {
  const row = (
    of: string,
    read: (run: Run) => number,
    target?: (figure: number) => Row['target'],
  ): Row => {
    const all = runs.map(read)
    const ms = median(all)
    const aim = target?.(ms)
    return {
      what: `${what}: ${of}`,
      figure: `${ms.toFixed(1)} ms`,
      detail: runs.length > 1 ? `highest of ${runs.length} ${Math.max(...all).toFixed(1)} ms` : '',
      ...(aim && { target: aim }),
      numbers: { ms, all },
    }
  }
  const noLongerThan10 = (ms: number) => atMost(10, ms, ' ms')
  return [
    row(
      'time',
      (run) => run.ms,
      mostMs === undefined ? undefined : (ms) => below(mostMs, ms, ' ms'),
    ),
    row('longest stall', (run) => run.stall, noLongerThan10),
    row('longest command of Redis', (run) => run.redis, noLongerThan10),
  ]
}
