import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import type { Effort } from './effort'
import { chargesPerSecond, DEFAULTS, IN_FLIGHT, PATIENCE, ROOMY } from './ledger-load'
import { startPeer } from './peer'
import type { Progress } from './progress'
import { hasRedisBenchmark, RecordingStore, repeat } from './redis-benchmark'
import { withRedisCpu } from './redis-cpu'
import { atLeast, skipped, type Row, type Section } from './row'
import { chargeFor, seedTenants } from './seed'
import { median, spreadOf, summarize } from './stats'
import { openStore } from './store'

/** Stands for the transaction in the call that redis-benchmark repeats. */
const VARYING = 'BENCHMARK.1'

/** Who makes the calls. */
interface Contender {
  readonly what: string
  /** Charges, so that the tenant's usage must tell of every call. */
  readonly counts: boolean
  /** Makes so many calls and returns how many there were a second. */
  readonly run: (calls: number) => Promise<number>
  readonly rates: number[]
  /** µs of Redis a call. */
  readonly cpu: number[]
}

/** How many recipients one process can count. */
export const charges: Section = {
  name: 'charges',
  title: 'Charges a second',
  meaning:
    `One tenant with two windows, one process, one connection, ${IN_FLIGHT} charges in flight; every charge leaves a ` +
    'receipt. The Ledger is Node.js and decodes each answer. redis-benchmark (C) repeats the very same EVALSHA with ' +
    'the same arguments, as many in flight, and looks at no answer. Batches in turn; the ratio is the median of the ' +
    'pairs. The CPU of Redis a call tells how many charges one core of Redis carries, whoever asks.',
  async run(effort, progress) {
    const redis = await startRedis()
    try {
      return await compare(redis, effort.charges, progress)
    } finally {
      await redis.stop()
    }
  },
}

async function compare(
  redis: TestRedis,
  { rounds, calls }: Effort['charges'],
  progress: Progress,
): Promise<Row[]> {
  const { client, keys } = await openStore(redis.port)
  const store = new RecordingStore(client, keys)
  const ledger = new Ledger(store, PATIENCE)
  const { domainsToken, idAt } = await seedTenants(store, 1, { limits: ROOMY })
  const charge = (transaction: string) => chargeFor(idAt(0), domainsToken, transaction)
  await ledger.charge(charge(VARYING), DEFAULTS)
  const call = store.last
  if (!call) throw new Error('no script ran')

  const used = async (): Promise<number> => {
    const usage = await ledger.usage(idAt(0), DEFAULTS)
    return usage?.unregistered[0]?.used ?? NaN
  }

  let transaction = 0
  const contender = (what: string, run: Contender['run'], counts = true): Contender => ({
    what,
    counts,
    run,
    rates: [],
    cpu: [],
  })
  const ours = contender('Ledger', (count) =>
    chargesPerSecond(ledger, count, () => charge(`${++transaction}.1`)),
  )
  const bare = (await hasRedisBenchmark())
    ? contender('redis-benchmark, the same script', (count) =>
        repeat(redis.port, call, { calls: count, varying: VARYING, inFlight: IN_FLIGHT }),
      )
    : undefined
  const runPeer = startPeer(redis)
  const peer = runPeer && contender('rate-limiter-flexible, one fixed window', runPeer, false)
  await ours.run(calls)
  await peer?.run(calls)

  for (let round = 1; round <= rounds; round++) {
    progress.say(`round ${round} of ${rounds}`)
    for (const { what, counts, run, rates, cpu } of [ours, bare, peer].filter(
      (each) => each !== undefined,
    )) {
      const before = await used()
      const measured = await withRedisCpu(client, () => run(calls))
      // redis-benchmark now and then chooses a number twice, and that recipient is counted once.
      if (counts && (await used()) - before < calls * 0.99) {
        throw new Error(`${what}: not all of ${calls} charges were counted`)
      }
      rates.push(measured.result)
      cpu.push(measured.cpu / calls)
    }
  }
  client.disconnect()
  return [
    rateRow(ours),
    ...(bare
      ? [rateRow(bare), ratioRow(ours, bare)]
      : [skipped('redis-benchmark', 'is not installed (Debian: apt-get install redis-tools)')]),
    ...(peer ? [rateRow(peer)] : []),
  ]
}

function rateRow({ what, rates, cpu }: Contender): Row {
  const perSecond = median(rates)
  const us = median(cpu)
  return {
    what,
    figure: `${Math.round(perSecond).toLocaleString('en-US')} /s`,
    detail:
      `${rates.length} rounds ${Math.round(Math.min(...rates)).toLocaleString('en-US')} to ` +
      `${Math.round(Math.max(...rates)).toLocaleString('en-US')}; CPU of Redis ${us.toFixed(1)} µs a call`,
    numbers: { perSecond, us, rates },
  }
}

function ratioRow(ours: Contender, bare: Contender): Row {
  const summary = summarize([ours.rates.map((rate, round) => rate / (bare.rates[round] ?? NaN))])
  const cpu = median(ours.cpu) / median(bare.cpu)
  return {
    what: 'Ledger against redis-benchmark',
    figure: `${summary.ratio.toFixed(2)} ×`,
    detail: `${spreadOf(summary, ours.rates.length)}; CPU of Redis a call ${cpu.toFixed(2)} ×`,
    target: atLeast(0.9, summary.ratio, ' ×'),
    numbers: { ...summary, cpuRatio: cpu },
  }
}
