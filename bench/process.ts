import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestRedis } from '../scripts/services/redis'
import { mailServers, registerTenants } from './mail'
import { cpuTime, residentMemory } from './measure'
import { atMostMegabytes, megabytes, type Row, type Section } from './row'
import {
  beforeOf,
  startOne,
  withBefore,
  withPlugin,
  type LeanOptions,
  type Servers,
} from './servers'
import { median } from './stats'
import { heldBy, WITNESS } from './witness'

/** The target of the resident memory of a single process beyond that of Haraka alone, in bytes. */
const MOST = 16 * 2 ** 20
/** A process is quiet that uses less CPU in this time. */
const QUIET = { us: 10_000, ms: 500 }
/** ms without mail before memory is read: the work of the start is over. */
const IDLE = 5_000

/** The processes of Haraka, by its setting `nodes`. */
const KINDS = [
  { kind: 'single process', nodes: 0 },
  { kind: 'worker of a cluster', nodes: 1 },
] as const
/** Servers, and what each adds to Haraka alone. */
const ADDED = { ours: 'this plugin', floor: 'ioredis alone', limit: 'haraka-plugin-limit' } as const

/** The least that a plugin with ioredis needs: a connection for commands and one for messages. */
const FLOOR = (port: number): string => `
const Redis = require(${JSON.stringify(require.resolve('ioredis'))})
let client, subscriber
const connect = (next) => {
  client = new Redis({ host: '127.0.0.1', port: ${port} })
  subscriber = client.duplicate()
  subscriber.subscribe('bench', () => next())
}
exports.hook_init_master = (next, server) => (server.cluster ? next() : connect(next))
exports.hook_init_child = (next) => connect(next)
`

/** What the start of a process took, and what it holds. */
export interface Footprint {
  /** CPU time until it listens, is connected to Redis and has nothing to do, in µs. */
  readonly start: number
  /** Resident memory when idle, in bytes. */
  readonly resident: number
  /** Heap in use after a collection of garbage, in bytes. */
  readonly heap: number
}

/** A server that has become quiet. */
interface Started extends Pick<Footprint, 'start'> {
  readonly name: string
  readonly servers: Servers<string>
  /** Once it has been idle. */
  readonly resident: Promise<number>
}

/** The memory of a process, and what its start costs. */
export const processes: Section = {
  name: 'process',
  title: 'Memory and start of a process',
  meaning:
    'A Haraka with one plugin, less a Haraka without: medians of several starts, one server after the other. The start is ' +
    'the CPU time until the process listens, is connected to Redis and has nothing more to do. Resident memory is read after five seconds ' +
    'without mail, the heap in use after a collection of garbage then. ioredis alone, with a connection for commands and ' +
    'one for messages, is the floor.',
  async run({ quick, say, against }) {
    const starts = quick ? 1 : 5
    const rows: Row[] = []
    for (const { kind, nodes } of KINDS) {
      const found: Record<string, Footprint>[] = []
      while (found.length < starts) {
        say(`${kind}, start ${found.length + 1} of ${starts}`)
        found.push(await startEach(nodes, found.length, against))
      }
      rows.push(...rowsOf(kind, found, nodes === 0 ? MOST : undefined))
    }
    return { rows }
  },
}

/** Starts each server, one after the other; the first one changes with `turn`. */
async function startEach(
  nodes: number,
  turn: number,
  against: string | undefined,
): Promise<Record<string, Footprint>> {
  const names = [
    'alone',
    ...Object.keys(ADDED),
    ...(against === undefined ? [] : [beforeOf('ours')]),
  ]
  const from = turn % names.length
  const started: Started[] = []
  try {
    for (const name of [...names.slice(from), ...names.slice(0, from)]) {
      const servers = await startOne(name, registerTenants, (redis) =>
        withBefore(serversFor(redis, nodes), against),
      )
      const { pid } = servers.harakas[name]!
      const serving = nodes === 0 ? pid : childOf(pid)
      const start = await cpuUntilQuiet(serving)
      // At the same age of each: an idle process gives memory back later.
      const resident = sleep(IDLE).then(() => residentMemory(serving))
      started.push({ name, servers, start, resident })
    }
    const footprints: Record<string, Footprint> = {}
    await Promise.all(started.map(({ resident }) => resident))
    for (const { name, servers, start, resident } of started) {
      const [held] = await heldBy(servers.harakas[name]!)
      footprints[name] = { start, resident: await resident, heap: held!.heapUsed }
    }
    return footprints
  } finally {
    await Promise.all(started.map(({ servers }) => servers.stop()))
  }
}

function serversFor(redis: TestRedis, nodes: number): Readonly<Record<string, LeanOptions>> {
  const floor = { plugins: ['bench_floor'], localPlugins: { bench_floor: FLOOR(redis.port) } }
  const servers = Object.entries(withPlugin({ ...mailServers(redis), floor }, WITNESS))
  return Object.fromEntries(servers.map(([name, options]) => [name, { ...options, nodes }]))
}

/** CPU time of a process until it has hardly any to do, in µs: it listens before it connects to Redis. */
async function cpuUntilQuiet(pid: number): Promise<number> {
  for (let before = 0; ;) {
    const cpu = cpuTime(pid)
    if (cpu - before < QUIET.us) return cpu
    before = cpu
    await sleep(QUIET.ms)
  }
}

function childOf(pid: number): number {
  const [child = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
  return Number(child)
}

const FIGURES = {
  resident: { what: 'resident memory', show: megabytes },
  heap: { what: 'heap in use', show: megabytes },
  start: { what: 'start', show: (us: number) => `${(us / 1e6).toFixed(2)} s of CPU` },
} as const

/**
 * What each server has more than `alone`, as medians of all starts.
 *
 * @param most the target of the resident memory of this plugin, in bytes
 */
export function rowsOf(
  kind: string,
  starts: readonly Readonly<Record<string, Footprint>>[],
  most?: number,
): Row[] {
  return (['resident', 'heap', 'start'] as const).flatMap((key) => {
    const { what, show } = FIGURES[key]
    const beyondAlone = (name: string): number[] =>
      starts.flatMap(({ [name]: own, alone }) => (own && alone ? [own[key] - alone[key]] : []))
    const alone = median(starts.map((start) => start['alone']![key]))
    return Object.entries(ADDED).map(([name, label]): Row => {
      const all = beyondAlone(name)
      const before = beyondAlone(beforeOf(name))
      const more = median(all)
      const isTarget = most !== undefined && name === 'ours' && key === 'resident'
      const range = `${show(Math.min(...all))} to ${show(Math.max(...all))}`
      return {
        what: `${what} of a ${kind}, ${label}`,
        figure: show(more),
        ...(before.length > 0 && { before: show(median(before)) }),
        detail: `starts ${range}; Haraka alone ${show(alone)}`,
        ...(isTarget && { target: atMostMegabytes(most, more) }),
        context: most !== undefined && key === 'resident' && !isTarget,
        numbers: { [key]: all },
      }
    })
  })
}
