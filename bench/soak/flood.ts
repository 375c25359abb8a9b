import { execFileSync } from 'node:child_process'
import {
  floodData,
  floodDeaf,
  floodIdle,
  floodSlow,
  type Flood,
} from '../../scripts/services/smtp-flood'
import type { Progress } from '../progress'
import { Crew } from './crew'
import { logFailures } from './log-failures'
import { seatsOf } from './mix'
import type { Plan } from './plan'
import { SIDES, type SideName } from './run'
import { openStage, type Stage } from './stage'
import { Tally } from './tally'
import type { Sample } from './witness'

/** Others, whose mail goes on meanwhile. */
const SESSIONS = 20
/** Slow clients of each kind, and ms between two bytes or lines of theirs. */
const SLOW = 50
const PAUSE = 1_000
/** Slices of mail in each state of a flood, and ms of each. */
const SLICES = 4
const SLICE = 1_500
const WARM_UP = 4_000
/** Addresses that the flood comes from: more than one has ports for. */
const ADDRESSES = Array.from({ length: 20 }, (_, at) => `127.78.0.${at + 1}`)
/** Descriptors that a process needs beside those of the flood. */
const OTHER_FILES = 1_000

/** How mail of others went in one state. */
export type State = 'quiet' | 'idle' | 'slow'

/** What a flood did to one Haraka: a single process. */
export interface Flooded {
  /** Mail of others: before it, with idle connections, and with slow clients as well. */
  readonly mail: Readonly<Record<State, Tally>>
  /** Memory after a collection of garbage: before the flood, while it is idle, and when it has gone. */
  readonly before: Sample
  readonly idle: Sample
  readonly after: Sample
  /** Connections that were still there at the end. */
  readonly connected: number
  /** The longest time that the event loop was late by meanwhile, in ms. */
  readonly late: number
}

export interface FloodRun {
  readonly connections: number
  readonly sides: Readonly<Record<SideName, Flooded>>
  readonly failures: readonly string[]
}

/** How many connections a flood may have here: both ends are files. */
export function mostConnections(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim()
  const files = limit === 'unlimited' ? Infinity : Number(limit)
  // This process has the clients of both floods.
  return Math.floor((files - OTHER_FILES) / SIDES.length)
}

/** Floods a Haraka with the plugin and one without with as many idle connections, and with slow clients. */
export async function flood(plan: Plan, progress: Pick<Progress, 'say'>): Promise<FloodRun> {
  progress.say('flood: starting the servers')
  const stage = await openStage({ ...plan, workers: 0 })
  const crews = {
    ours: new Crew(stage.ours.haraka.port, seatsOf(stage.tenants, SESSIONS, plan.seed, true)),
    alone: new Crew(stage.alone.haraka.port, seatsOf(stage.tenants, SESSIONS, plan.seed, false)),
  }
  const floods: Record<SideName, Flood[]> = { ours: [], alone: [] }
  try {
    for (const name of SIDES) await crews[name].work(WARM_UP)
    const before = await memory(stage)
    progress.say('flood: mail without it')
    const quiet = await mail(crews)
    progress.say(`flood: ${plan.idle} idle connections`)
    for (const name of SIDES) floods[name].push(await startIdle(plan.idle, stage, name))
    const idle = await memory(stage)
    const whileIdle = await mail(crews)
    progress.say('flood: slow clients as well')
    for (const name of SIDES) floods[name].push(...(await startSlow(stage, name)))
    const whileSlow = await mail(crews)
    const connected = (name: SideName) => floods[name][0]!.connected()
    const left = { ours: connected('ours'), alone: connected('alone') }
    const ends = SIDES.flatMap((name) => floods[name].map((each) => each.end()))
    await Promise.all(ends)
    for (const name of SIDES) await crews[name].work(SLICE)
    const after = await memory(stage)

    const side = (name: SideName): Flooded => ({
      mail: { quiet: quiet[name], idle: whileIdle[name], slow: whileSlow[name] },
      before: before[name],
      idle: idle[name],
      after: after[name],
      connected: left[name],
      late: Math.max(
        ...stage[name].witness
          .samples()
          .filter(({ at, collected }) => at > before[name].at && !collected)
          .map(({ delay }) => delay.max),
      ),
    })
    for (const name of SIDES) await crews[name].close()
    const failures = SIDES.flatMap((name) => {
      const { haraka, started } = stage[name]
      const lost = plan.idle - left[name]
      return [
        ...crews[name].failures,
        ...logFailures(haraka.log.slice(started)),
        ...(lost > 0 ? [`${lost} idle connections were ended`] : []),
      ].map((failure) => `flood, ${name}: ${failure}`)
    })
    return {
      connections: plan.idle,
      sides: { ours: side('ours'), alone: side('alone') },
      failures,
    }
  } finally {
    await stage.stop()
  }
}

async function memory(stage: Stage): Promise<Record<SideName, Sample>> {
  const [ours, alone] = [await stage.ours.witness.collect(), await stage.alone.witness.collect()]
  return { ours: ours[0]!, alone: alone[0]! }
}

/** Mail of others through both, in short slices in turn. */
async function mail(
  crews: Readonly<Record<SideName, Crew>>,
): Promise<Readonly<Record<SideName, Tally>>> {
  const total = { ours: new Tally(0), alone: new Tally(0) }
  for (let slice = 0; slice < SLICES; slice++) {
    for (const name of slice % 2 === 0 ? SIDES : SIDES.toReversed()) {
      total[name].merge(await crews[name].work(SLICE))
    }
  }
  return total
}

function startIdle(count: number, stage: Stage, name: SideName): Promise<Flood> {
  return floodIdle(count, { port: stage[name].haraka.port, addresses: ADDRESSES })
}

/** One byte a second in commands, messages without an end, and clients that read no answer. */
function startSlow({ tenants, ...sides }: Stage, name: SideName): Promise<readonly Flood[]> {
  const { port } = sides[name].haraka
  const sender = tenants.find(({ kind }) => kind === 'mixed')!
  const endless = { from: 'a@stranger-0.example', to: 'b@far.example', pause: PAUSE }
  const commands = Array<string>(50).fill('EHLO deaf.example')
  return Promise.all([
    floodSlow(SLOW, { port, addresses: ADDRESSES }, PAUSE),
    floodData(SLOW, { port, addresses: [sender.ip] }, endless),
    floodDeaf(SLOW, { port, addresses: ADDRESSES }, commands),
  ])
}
