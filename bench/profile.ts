import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { TestHaraka } from '../scripts/services/haraka'
import { sendMessages } from './mail-load'
import { mailServers, registerTenants, SUBJECTS } from './mail'
import { aloneOf, type Subject } from './paired'
import type { Row, Section } from './row'
import { beforeOf, startServers, withBefore, withPlugin } from './servers'

const FILE = 'bench.cpuprofile'

/** Profiles its Haraka from one VRFY to the next: `--cpu-prof` would include the start. */
const PROFILER = {
  name: 'bench_profiler',
  text: `
const { Session } = require('node:inspector')
const { writeFileSync } = require('node:fs')
const file = require('node:path').join(process.env.HARAKA, '${FILE}')
let session
exports.hook_vrfy = (next) => {
  if (!session) {
    session = new Session()
    session.connect()
    session.post('Profiler.enable')
    session.post('Profiler.setSamplingInterval', { interval: 200 })
    session.post('Profiler.start', () => next(OK))
    return
  }
  session.post('Profiler.stop', (error, { profile }) => {
    session.disconnect()
    session = undefined
    writeFileSync(file, JSON.stringify(profile))
    next(OK)
  })
}
`,
}

/** The part of a CPU profile of V8 that is used (Chrome DevTools Protocol, Profiler.Profile). */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  /** µs since the sample before. */
  readonly timeDeltas: readonly number[]
}

/** The owner of a file's code: the first matching pattern. */
const PARTS: readonly (readonly [RegExp, string])[] = [
  [/\/dist\/(?:plugins|src)\//, 'this plugin'],
  [/\/node_modules\/(?:ioredis|redis|@redis)\//, 'Redis client'],
  [/\/node_modules\/haraka-results\//, 'results store'],
  [/\/node_modules\/haraka-plugin-limit\//, 'haraka-plugin-limit'],
  [/^(?!node:)./, 'Haraka'],
]
/** The work of Node.js and V8 without a caller. */
const RUNTIME = 'event loop'

/**
 * CPU time of each part in µs. Work of Node.js inside a call counts for the caller: a write to Redis for the Redis
 * client, a write to the SMTP client for Haraka. A collection of garbage counts for the part that ran before it and
 * needed the memory: V8 does not record what it interrupts.
 */
export function timeByPart({ nodes, samples, timeDeltas }: CpuProfile): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const callers = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  )
  const partOf = (id: number | undefined): string => {
    if (id === undefined) return RUNTIME
    const url = byId.get(id)?.callFrame.url ?? ''
    return PARTS.find(([pattern]) => pattern.test(url))?.[1] ?? partOf(callers.get(id))
  }
  const times = new Map<string, number>()
  let part = RUNTIME
  samples.forEach((id, at) => {
    const { functionName } = byId.get(id)!.callFrame
    if (functionName === '(idle)') return
    if (functionName !== '(garbage collector)') part = partOf(id)
    times.set(part, (times.get(part) ?? 0) + (timeDeltas[at] ?? 0))
  })
  return times
}

/** Where the CPU time goes. */
export const profile: Section = {
  name: 'profile',
  title: 'Where the CPU time of a message goes',
  meaning:
    'A CPU profile of each Haraka after its warm-up. What the kernel, Node.js and V8 do inside a call counts for the ' +
    'caller, and a collection of garbage for the part that ran before it; this plugin writes to Redis for all sessions ' +
    'together. What a hook costs Haraka itself is in the share of Haraka. Compare shares within a line: the lines are ' +
    'measured one after the other.',
  async run({ quick, say, against }) {
    const messages = quick ? 1_000 : 6_000
    const servers = await startServers(registerTenants, (redis) =>
      withPlugin(withBefore(mailServers(redis), against), PROFILER),
    )
    const { hooks, registered, unregistered, limit } = SUBJECTS
    const profiledMail = [aloneOf(registered), hooks, registered, unregistered, limit].flatMap(
      (subject): Subject[] => [
        subject,
        { ...subject, what: beforeOf(subject.what), server: beforeOf(subject.server) },
      ],
    )
    try {
      const rows: Row[] = []
      for (const { what, server, ip, mail } of profiledMail) {
        const haraka = servers.harakas[server]
        // Only this plugin has another version.
        if (!haraka) continue
        say(what)
        const send = () => sendMessages({ port: haraka.port, ip, mail, messages })
        await send()
        rows.push(rowOf(what, timeByPart(await profiled(haraka, send)), messages))
      }
      return { rows }
    } finally {
      await servers.stop()
    }
  },
}

async function profiled(haraka: TestHaraka, work: () => Promise<void>): Promise<CpuProfile> {
  const client = await haraka.connect()
  await client.command('VRFY start')
  await work()
  await client.command('VRFY stop')
  await client.quit()
  return JSON.parse(readFileSync(path.join(haraka.dir, FILE), 'utf8')) as CpuProfile
}

function rowOf(what: string, times: ReadonlyMap<string, number>, messages: number): Row {
  const parts = [...times].toSorted(([, a], [, b]) => b - a)
  const all = parts.reduce((sum, [, us]) => sum + us, 0)
  return {
    what: `profile, ${what}`,
    figure: `${(all / messages).toFixed(0)} µs`,
    detail: parts.map(([part, us]) => `${part} ${((100 * us) / all).toFixed(1)} %`).join(', '),
    numbers: Object.fromEntries(parts.map(([part, us]) => [`${part}, us`, us / messages])),
  }
}
