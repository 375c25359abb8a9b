import { setTimeout as sleep } from 'node:timers/promises'
import type { TestHaraka } from '../scripts/services/haraka'
import type { TestRedis } from '../scripts/services/redis'
import { mailServers, registerTenants, SUBJECTS } from './mail'
import type { Mail } from './mail-load'
import type { Row, Section } from './row'
import { beforeOf, startOne, withBefore, withPlugin, type Servers } from './servers'
import { runSession } from './smtp-session'
import { median } from './stats'

/** Messages a second to each server, and over how many sessions. */
const PACE = { perSecond: 100, sessions: 10 }
/** Seconds of mail before the first minute. */
const WARM_UP = 5
const FULL = { starts: 3, seconds: 60 }
const QUICK = { starts: 1, seconds: 5 }

const { registered, unregistered } = SUBJECTS
/** The servers compared. */
const SERVERS = {
  alone: 'Haraka alone',
  ours: 'this plugin',
  limit: 'haraka-plugin-limit',
} as const

/** A plugin that answers VRFY with the longest time in ms since the last one in which its event loop did not turn. */
const WATCH = {
  name: 'bench_watch',
  text: `
const { monitorEventLoopDelay } = require('node:perf_hooks')
const RESOLUTION = 1
const turns = monitorEventLoopDelay({ resolution: RESOLUTION })
exports.hook_init_master = (next) => { turns.enable(); next() }
exports.hook_vrfy = (next) => {
  next(OK, 'stall ' + Math.max(0, turns.max / 1e6 - RESOLUTION).toFixed(3))
  turns.reset()
}
`,
}

/** How long a session may have to wait for the work of others. */
export const stall: Section = {
  name: 'stall',
  title: 'Longest stall of the event loop',
  meaning:
    `Steady mail for a minute, half of it registered: ${PACE.perSecond} messages a second to each server at the same ` +
    'time. A stall is the time in which the event loop of a Haraka does not turn (perf_hooks.monitorEventLoopDelay): ' +
    'all its sessions wait. Most long ones are collections of garbage. Medians of the minutes.',
  async run({ quick, say, against }) {
    const { starts, seconds } = quick ? QUICK : FULL
    const found: Record<string, number>[] = []
    const names = [...Object.keys(SERVERS), ...(against === undefined ? [] : [beforeOf('ours')])]
    while (found.length < starts) {
      say(`minute ${found.length + 1} of ${starts}`)
      const started: Servers<string>[] = []
      try {
        for (const name of names) {
          const serversOf = (redis: TestRedis) =>
            withPlugin(withBefore(mailServers(redis), against), WATCH)
          started.push(await startOne(name, registerTenants, serversOf))
        }
        const harakas = Object.fromEntries(
          started.flatMap(({ harakas }) => Object.entries(harakas)),
        )
        await measure(harakas, WARM_UP)
        found.push(await measure(harakas, seconds))
      } finally {
        await Promise.all(started.map(({ stop }) => stop()))
      }
    }
    return { rows: rowsOf(found) }
  },
}

/** The longest stall of each server in ms. */
async function measure(
  harakas: Servers<string>['harakas'],
  seconds: number,
): Promise<Record<string, number>> {
  const each = Object.entries(harakas)
  await Promise.all(each.map(([, haraka]) => longestStall(haraka)))
  await Promise.all(each.map(([, { port }]) => steadyMail(port, seconds)))
  const stalls = each.map(async ([name, haraka]) => [name, await longestStall(haraka)] as const)
  return Object.fromEntries(await Promise.all(stalls))
}

/** Since it was asked last, in ms. */
async function longestStall(haraka: TestHaraka): Promise<number> {
  const client = await haraka.connect()
  const reply = await client.command('VRFY stall')
  await client.quit()
  return Number(/stall ([\d.]+)/.exec(String(reply))?.[1])
}

/** Sends each message at its time, however long the one before took. */
async function steadyMail(port: number, seconds: number): Promise<void> {
  const { perSecond, sessions } = PACE
  const begin = performance.now()
  const session = (number: number) => {
    const mails: readonly Mail[] = [registered.mail, unregistered.mail]
    let sent = 0
    const next = async () => {
      const second = (number + sent * sessions) / perSecond
      if (second >= seconds) return undefined
      await sleep(Math.max(0, begin + 1_000 * second - performance.now()))
      return mails[sent++ % mails.length]!()
    }
    return runSession({ port, ip: registered.ip, next })
  }
  await Promise.all(Array.from({ length: sessions }, (_, number) => session(number)))
}

/** @param minutes the longest stall of each server in ms, by minute */
export function rowsOf(minutes: readonly Readonly<Record<string, number>>[]): Row[] {
  const stallsOf = (name: string): number[] => minutes.flatMap(({ [name]: ms }) => ms ?? [])
  return Object.entries(SERVERS).map(([name, what]): Row => {
    const stalls = stallsOf(name)
    const before = stallsOf(beforeOf(name))
    const show = (ms: readonly number[]): string => `${median(ms).toFixed(1)} ms`
    return {
      what: `longest stall in a minute, ${what}`,
      figure: show(stalls),
      ...(before.length > 0 && { before: show(before) }),
      detail: `minutes ${stalls.map((ms) => ms.toFixed(1)).join(', ')} ms`,
      numbers: { ms: stalls },
    }
  })
}
