import { setTimeout as sleep } from 'node:timers/promises'
import { startRedis } from '../scripts/services/redis'
import { waitFor } from '../scripts/services/wait-for'
import { Heartbeat, type Said } from '../src/nodes/heartbeat'
import { readOverview } from '../src/nodes/overview'
import type { Store } from '../src/store/store'
import { aNode } from '../test/support/nodes'
import { withRedisCpu } from './measure'
import { atMost, whole, type Section } from './row'
import { openStore } from './store'

const PROCESSES = 1000
const HOSTS = 100
/** Share the connections: what Redis does for a command is the same. */
const CONNECTIONS = 10
const CONFIG = JSON.stringify({
  main: { mode: 'monitor' },
  allowance: { limits: '300/1h, 1500/1d', warn_at: '50, 80, 95' },
  alerts: { mail_to: 'noc@relay.example', webhook: '#01234567', webhook_secret: '#89abcdef' },
})
/** The target of memory, in octets a process. */
const MOST = 2000

/** What heartbeats cost Redis. */
export const nodes: Section = {
  name: 'nodes',
  title: `Heartbeats of ${whole(PROCESSES)} processes`,
  meaning:
    `What ${whole(PROCESSES)} processes on ${HOSTS} hosts cost Redis by saying every five seconds what they are, and ` +
    'what reading all of them takes, as tenantctl nodes does.',
  async run({ quick, say }) {
    const redis = await startRedis()
    const stores = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => openStore(redis.port)),
    )
    const heartbeats = Array.from({ length: PROCESSES }, (_, at) =>
      heartbeatOf(stores[at % CONNECTIONS]!, at),
    )
    try {
      const [store] = stores as [Store]
      for (const each of stores) each.client.setMaxListeners(0)
      for (const each of heartbeats) {
        each.start()
        // So that they do not all say it in the same moment.
        await sleep(5)
      }
      await waitFor(async () => (await readOverview(store)).nodes.length === PROCESSES)
      const ms = quick ? 10_000 : 30_000
      say(`${ms / 1000} s`)
      await redis.resetCommandStats()
      const { cpu } = await withRedisCpu(store.client, () => sleep(ms))
      const beats = ((await redis.commandStats())['evalsha'] ?? 0) / (ms / 1000)
      const percent = (cpu / (ms * 1000)) * 100
      const octets = await memoryOf(store)
      const begun = performance.now()
      await readOverview(store)
      const read = performance.now() - begun
      return {
        rows: [
          {
            what: 'calls of Redis',
            figure: `${whole(beats)} a second`,
            detail: `${percent.toFixed(2)} % of a core`,
            numbers: { perSecond: beats, percent },
          },
          {
            what: 'memory of Redis a process',
            figure: `${whole(octets / PROCESSES)} B`,
            detail: `${whole(octets)} B for all`,
            target: atMost(MOST, octets / PROCESSES, ' B'),
            numbers: { bytes: octets / PROCESSES },
          },
          { what: 'reading all', figure: `${whole(read)} ms`, numbers: { ms: read } },
        ],
      }
    } finally {
      await Promise.all(heartbeats.map((each) => each.stop()))
      for (const { client } of stores) client.disconnect()
      await redis.stop()
    }
  },
}

function heartbeatOf(store: Store, at: number): Heartbeat {
  const id = `mx${at % HOSTS}.relay.example/${at.toString(16).padStart(12, '0')}`
  const configs = new Map([
    ['0123456789abcdef', CONFIG],
    [`${String(at % HOSTS).padStart(16, '0')}`, '{"egress":{"bind":"192.0.2.1"}}'],
  ])
  const [digest, ofHost] = [...configs.keys()] as [string, string]
  const boot = '228b330c-3748-4c9b-9348-40a950249a59 pid:[4026531836]'
  const config = { digest, ofHost, changed: Date.now() }
  // A pid that exists: none of them is removed.
  const facts = aNode({ id, boot, config, pid: process.pid, applied: Date.now() * 1000 })
  const say = (): Said => ({ facts: { ...facts, clock: Date.now() }, configs })
  return new Heartbeat(store, say, console.error)
}

async function memoryOf({ client, keys }: Store): Promise<number> {
  const all = [keys.nodes, keys.nodesSeen, keys.nodesConfigs]
  const usages = await Promise.all(all.map((key) => client.memory('USAGE', key, 'SAMPLES', 0)))
  return usages.reduce<number>((sum, usage) => sum + (usage ?? 0), 0)
}
