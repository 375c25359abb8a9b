import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import type { Effort } from './effort'
import { DEFAULTS, IN_FLIGHT, makeCharges, PATIENCE, ROOMY } from './ledger-load'
import type { Peer, StartPeer } from './peer'
import { startFlexible } from './peer-flexible'
import { startPolicyd } from './peer-policyd'
import { startRspamd } from './peer-rspamd'
import type { Plot } from './plot'
import type { Progress } from './progress'
import { hasRedisBenchmark, lastScriptCall, repeat } from './redis-benchmark'
import { withRedisCpu } from './redis-cpu'
import { atLeast, skipped, type Measured, type Row, type Section } from './row'
import { chargeFor, seedTenants } from './seed'
import { median, quantile, spreadOf, summarize } from './stats'
import { openStore } from './store'

/** Stands for the transaction in the call that redis-benchmark repeats. */
const VARYING = 'BENCHMARK.1'

const PEERS: readonly StartPeer[] = [startFlexible, startPolicyd, startRspamd]

/** Who makes the calls. */
interface Contender {
  readonly what: string
  readonly how: string
  /** In a batch. */
  readonly calls: number
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
    'receipt. The Ledger is Node.js and decodes each answer. redis-benchmark (C) repeats the very same EVALSHA, word ' +
    'for word as Redis got it from the Ledger, as many in flight, and looks at no answer. Batches in turn; the ratio ' +
    'is the median of the pairs. The CPU of Redis a call tells how many charges one core of Redis carries, whoever ' +
    'asks. The other limiters count without receipts, and a policy server is asked over its own protocol: that is ' +
    'what a mail server pays for a decision of theirs. One charge at a time tells how long a message waits.',
  async run(effort, progress) {
    const redis = await startRedis()
    const peers: Peer[] = []
    const missing: Row[] = []
    try {
      for (const start of PEERS) {
        progress.say('starting other limiters')
        const peer = await start(redis)
        if ('skipped' in peer) missing.push(skipped(peer.what, peer.skipped))
        else peers.push(peer)
      }
      const { rows, plots = [] } = await compare(redis, peers, effort.charges, progress)
      return { rows: [...rows, ...missing], plots }
    } finally {
      for (const peer of peers) await peer.stop()
      await redis.stop()
    }
  },
}

async function compare(
  redis: TestRedis,
  peers: readonly Peer[],
  { rounds, calls }: Effort['charges'],
  progress: Progress,
): Promise<Measured> {
  const store = await openStore(redis.port)
  const ledger = new Ledger(store, PATIENCE)
  const { domainsToken, idAt } = await seedTenants(store, redis.port, 1, { limits: ROOMY })
  const charge = (transaction: string) => chargeFor(idAt(0), domainsToken, transaction)
  // The first call may bring the script itself.
  await ledger.charge(charge('FIRST.1'), DEFAULTS)
  const call = await lastScriptCall(store.client, () => ledger.charge(charge(VARYING), DEFAULTS))

  const used = async (): Promise<number> => {
    const usage = await ledger.usage(idAt(0), DEFAULTS)
    return usage?.unregistered[0]?.used ?? NaN
  }

  let transaction = 0
  const next = () => charge(`${++transaction}.1`)
  const ours: Contender = {
    what: 'Ledger',
    how: '',
    calls,
    counts: true,
    run: async (count) => (await makeCharges(ledger, count, IN_FLIGHT, next)).perSecond,
    rates: [],
    cpu: [],
  }
  const bare: Contender | undefined = (await hasRedisBenchmark())
    ? {
        what: 'redis-benchmark, the same script',
        how: '',
        calls,
        counts: true,
        run: (count) =>
          repeat(redis.port, call, { calls: count, varying: VARYING, inFlight: IN_FLIGHT }),
        rates: [],
        cpu: [],
      }
    : undefined
  const others: Contender[] = peers.map((peer) => ({ ...peer, counts: false, rates: [], cpu: [] }))
  const all = [ours, ...(bare ? [bare] : []), ...others]
  for (const contender of [ours, ...others]) await contender.run(contender.calls)

  const waits: number[] = []
  for (let round = 1; round <= rounds; round++) {
    for (const contender of all) {
      progress.say(`round ${round} of ${rounds}, ${contender.what}`)
      const before = await used()
      const measured = await withRedisCpu(store.client, () => contender.run(contender.calls))
      // redis-benchmark now and then chooses a number twice, and that recipient is counted once.
      if (contender.counts && (await used()) - before < calls * 0.99) {
        throw new Error(`${contender.what}: not all of ${calls} charges were counted`)
      }
      contender.rates.push(measured.result)
      contender.cpu.push(measured.cpu / contender.calls)
    }
    waits.push(...(await makeCharges(ledger, Math.ceil(calls / 20), 1, next)).times)
  }
  store.client.disconnect()
  return {
    rows: [
      rateRow(ours),
      ...(bare
        ? [rateRow(bare), ratioRow(ours, bare)]
        : [skipped('redis-benchmark', 'is not installed (Debian: apt-get install redis-tools)')]),
      waitRow(waits),
      ...others.map(rateRow),
    ],
    plots: [ratePlot(all)],
  }
}

function rateRow({ what, how, rates, cpu }: Contender): Row {
  const perSecond = median(rates)
  const us = median(cpu)
  const [least, most] = [Math.min(...rates), Math.max(...rates)].map(rounded)
  const cost = us >= 1 ? [`CPU of Redis ${us.toFixed(1)} µs a call`] : []
  return {
    what,
    figure: `${rounded(perSecond)} /s`,
    detail: [`${rates.length} rounds ${least} to ${most}`, ...cost, ...(how ? [how] : [])].join(
      '; ',
    ),
    numbers: { perSecond, us, rates },
  }
}

function rounded(figure: number): string {
  return Math.round(figure).toLocaleString('en-US')
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

function waitRow(times: readonly number[]): Row {
  const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)]
  return {
    what: 'one charge at a time, p99',
    figure: `${p99.toFixed(2)} ms`,
    detail: `p50 ${p50.toFixed(2)} ms, of ${times.length.toLocaleString('en-US')}`,
    numbers: { p50Ms: p50, p99Ms: p99 },
  }
}

function ratePlot(contenders: readonly Contender[]): Plot {
  return {
    kind: 'bars',
    name: 'charges',
    title: 'Decisions a second',
    measure: 'Median of the rounds, one process asking',
    categories: contenders.map(({ what }) => what.replace(/, /, ',\n')),
    series: [{ label: 'decisions a second', values: contenders.map(({ rates }) => median(rates)) }],
  }
}
