import { Ledger } from '../../src/allowance/ledger'
import { Restrictions } from '../../src/allowance/restriction'
import { CPU_TIME, cpuTime } from '../cpu'
import { DEFAULTS, PATIENCE } from '../ledger-load'
import type { Progress } from '../progress'
import { withRedisCpu } from '../redis-cpu'
import { median } from '../stats'
import { Crew } from './crew'
import { logFailures } from './log-failures'
import { seatsOf } from './mix'
import type { Plan } from './plan'
import { forgetReceipts, RedisWatch, type RedisSample } from './redis-watch'
import { openStage, type Side, type Stage } from './stage'
import { TakenOver, type Episode } from './taken-over'
import type { Tally } from './tally'
import type { Sample } from './witness'

/** Of the highest rate, what is sent where a rate is given. */
export const PACED_SHARE = 0.6

export type SideName = 'ours' | 'alone'
export const SIDES: readonly SideName[] = ['ours', 'alone']

/** What one Haraka did in a round. */
export interface SideRound {
  readonly full: Tally
  readonly paced: Tally
  /** Memory of each worker at its end, after a collection of garbage, with all sessions open and idle. */
  readonly memory: readonly Sample[]
}

export interface Round extends Readonly<Record<SideName, SideRound>> {
  /** Minutes since the first round. */
  readonly minute: number
  /** Cores that were busy in the slice at full load, with the plugin. */
  readonly cores: Cores | undefined
}

/** CPU time by time. */
export interface Cores {
  readonly haraka: number
  readonly redis: number
  readonly client: number
}

/** All that a run brought. */
export interface Soak {
  /** ms since the epoch */
  readonly startedAt: number
  readonly rounds: readonly Round[]
  readonly episodes: readonly (Episode & { readonly minute: number })[]
  /** Each second, of each worker with the plugin. */
  readonly seconds: Readonly<Record<SideName, readonly Sample[]>>
  readonly redis: readonly RedisSample[]
  readonly receipts: Receipts
  /** Recipients that were counted, as the clients know it and as Redis does. */
  readonly counted: { readonly clients: number; readonly redis: number }
  readonly failures: readonly string[]
}

/** What Redis holds with and without the receipts of an hour. */
export interface Receipts {
  readonly count: number
  /** bytes before they were forgotten */
  readonly withThem: number
  /** bytes */
  readonly without: number
  /** bytes, the same after the warm-up */
  readonly withoutAtFirst: number
}

/** Soaks: loads two Harakas in turn, and looks at what they hold. */
export async function soak(plan: Plan, progress: Pick<Progress, 'say'>): Promise<Soak> {
  progress.say('starting the servers')
  const stage = await openStage(plan)
  try {
    return await new Run(plan, stage, progress).soak()
  } finally {
    await stage.stop()
  }
}

class Run {
  readonly #crews: Readonly<Record<SideName, Crew>>
  readonly #highest: number[] = []
  /** Process ids of the workers with the plugin. */
  #workers: readonly number[] = []

  constructor(
    private readonly plan: Plan,
    private readonly stage: Stage,
    private readonly progress: Pick<Progress, 'say'>,
  ) {
    const crew = (name: SideName): Crew => {
      const seats = seatsOf(stage.tenants, plan.sessions, plan.seed, name === 'ours')
      return new Crew(stage[name].haraka.port, seats)
    }
    this.#crews = { ours: crew('ours'), alone: crew('alone') }
  }

  async soak(): Promise<Soak> {
    const { plan, stage, progress } = this
    const { store } = stage
    progress.say('warming up')
    const takenOver = this.#takenOver()
    const first = await takenOver.episode()
    for (const name of SIDES) {
      const { perSecond } = await this.#crews[name].work(plan.warmUp)
      if (name === 'ours') this.#highest.push(perSecond)
    }
    await stage.alone.witness.collect()
    this.#workers = pidsOf(await stage.ours.witness.collect())
    const { usedMemory: withoutAtFirst } = await forgetReceipts(store)

    const startedAt = Date.now()
    const watch = new RedisWatch(store)
    const rounds: Round[] = []
    const episodes: (Episode & { minute: number })[] = []
    const minute = (): number => (Date.now() - startedAt) / 60_000
    for (let number = 0; number < plan.rounds; number++) {
      progress.say(`round ${number + 1} of ${plan.rounds}`)
      const at = minute()
      const restricts = number % plan.roundsAnEpisode === 0
      const episode = restricts ? takenOver.episode() : undefined
      rounds.push(await this.#round(number, minute))
      if (episode) episodes.push({ ...(await episode), minute: at })
    }
    watch.stop()

    const withThem = watch.samples.at(-1)?.usedMemory ?? NaN
    const counted = await this.#counted()
    const { receipts: count, usedMemory: without } = await forgetReceipts(store)
    for (const name of SIDES) await this.#crews[name].close()
    const failures = [
      ...SIDES.flatMap((name) => this.#failuresOf(name)),
      ...[first, ...episodes].flatMap(({ failures }) => failures),
      ...watch.failures,
      ...this.#replaced(rounds),
      ...(counted.clients === counted.redis
        ? []
        : [`${counted.redis} recipients are counted where ${counted.clients} were taken`]),
    ]
    const secondsOf = ({ witness }: Side): Sample[] =>
      witness.samples().filter(({ at, collected }) => at >= startedAt && !collected)
    return {
      startedAt,
      rounds,
      episodes,
      seconds: { ours: secondsOf(stage.ours), alone: secondsOf(stage.alone) },
      redis: watch.samples,
      receipts: { count, withThem, without, withoutAtFirst },
      counted,
      failures,
    }
  }

  #takenOver(): TakenOver {
    const { ours, victim, store } = this.stage
    return new TakenOver(ours.haraka.port, victim, new Restrictions(store))
  }

  /** Each Haraka in turn; which comes first changes from round to round. */
  async #round(number: number, minute: () => number): Promise<Round> {
    const { slices } = this.plan
    const order = number % 2 === 0 ? SIDES : SIDES.toReversed()
    const full: Partial<Record<SideName, Tally>> = {}
    const paced: Partial<Record<SideName, Tally>> = {}
    let cores: Cores | undefined
    for (const name of order) {
      if (name === 'alone') {
        full.alone = await this.#crews.alone.work(slices.alone)
      } else {
        const measured = await this.#withCores(() => this.#crews.ours.work(slices.full))
        full.ours = measured.tally
        cores = measured.cores
      }
    }
    this.#highest.push(full.ours!.perSecond)
    const rate = PACED_SHARE * median(this.#highest)
    for (const name of order) paced[name] = await this.#crews[name].work(slices.paced, rate)
    const side = async (name: SideName): Promise<SideRound> => ({
      full: full[name]!,
      paced: paced[name]!,
      memory: await this.stage[name].witness.collect(),
    })
    return { ours: await side('ours'), alone: await side('alone'), minute: minute(), cores }
  }

  async #withCores(
    work: () => Promise<Tally>,
  ): Promise<{ tally: Tally; cores: Cores | undefined }> {
    if (!CPU_TIME) return { tally: await work(), cores: undefined }
    const { ours, store } = this.stage
    const haraka = [ours.haraka.pid, ...this.#workers]
    const now = () => ({
      at: performance.now() * 1_000,
      haraka: haraka.reduce((sum, pid) => sum + cpuTime(pid), 0),
      client: cpuTime(process.pid),
    })
    const before = now()
    const { result: tally, cpu } = await withRedisCpu(store.client, work)
    const after = now()
    const us = after.at - before.at
    const cores = {
      haraka: (after.haraka - before.haraka) / us,
      redis: cpu / us,
      client: (after.client - before.client) / us,
    }
    return { tally, cores }
  }

  #replaced(rounds: readonly Round[]): string[] {
    const still = pidsOf(rounds.at(-1)?.ours.memory ?? [])
    const [before, after] = [this.#workers.join(' '), still.join(' ')]
    return before === after ? [] : [`workers ${before} have become ${after}`]
  }

  #failuresOf(name: SideName): string[] {
    const { haraka, started } = this.stage[name]
    const dead = haraka.ended ? ['Haraka has ended'] : []
    const said = logFailures(haraka.log.slice(started))
    const failures = [...this.#crews[name].failures, ...said, ...dead]
    return failures.map((failure) => `${name}: ${failure}`)
  }

  async #counted(): Promise<Soak['counted']> {
    const { store, tenants } = this.stage
    const { done } = this.#crews.ours
    const ledger = new Ledger(store, PATIENCE)
    let clients = 0
    let redis = 0
    for (const { id } of tenants) {
      const usage = await ledger.usage(id, { ...DEFAULTS, nullLimits: DEFAULTS.limits })
      for (const meter of ['unregistered', 'null'] as const) {
        // The longest window: a run may take longer than the other.
        redis += usage?.[meter].at(-1)?.used ?? 0
        clients += done.get(`${id} ${meter}`) ?? 0
      }
    }
    return { clients, redis }
  }
}

function pidsOf(samples: readonly Sample[]): readonly number[] {
  return samples.map(({ pid }) => pid).sort((a, b) => a - b)
}
