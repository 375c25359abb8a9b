import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import type { Store } from '../src/store/store'
import { contender, measureBatch, rateRow, type Contender } from './contender'
import type { Effort } from './effort'
import { Holds } from './holds'
import { DEFAULTS, IN_FLIGHT, makeCharges, PATIENCE, ROOMY } from './ledger-load'
import type { Peer, StartPeer } from './peer'
import { startFlexible } from './peer-flexible'
import { startPolicyd } from './peer-policyd'
import { startRspamd } from './peer-rspamd'
import type { Plot } from './plot'
import type { Progress } from './progress'
import { hasRedisBenchmark, lastScriptCall, repeat } from './redis-benchmark'
import { atLeast, skipped, type Row, type Section } from './row'
import { chargeFor, seedTenants } from './seed'
import { median, quantile, spreadOf, summarize } from './stats'
import { openStore } from './store'

/** Stands for the transaction in the call that redis-benchmark repeats. */
const VARYING = 'BENCHMARK.1'

const PEERS: readonly StartPeer[] = [startFlexible, startPolicyd, startRspamd]

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
    'what a mail server pays for a decision of theirs. One charge at a time tells how long a message waits. Mail that may ' +
    'be a forward is not charged at RCPT but held, and settled at the end of DATA, each one recipient here.',
  async run({ charges: effort }, progress) {
    const redis = await startRedis()
    const store = await openStore(redis.port)
    const peers: Peer[] = []
    try {
      progress.say('starting other limiters')
      const missing = await startPeers(redis, peers)
      const own = await startOwn(redis, store, effort.calls)
      const others = peers.map(contender)
      const holds = await Holds.open(store, own.ledger)
      const waits = await measure(own, others, holds, store, effort, progress)
      const { ours, bare } = own
      return {
        rows: [
          rateRow(ours),
          ...(bare ? [rateRow(bare), ratioRow(ours, bare)] : [NO_REDIS_BENCHMARK]),
          waitRow(waits),
          ...holds.rows(),
          ...others.map(rateRow),
          ...missing,
        ],
        plots: [ratePlot([ours, ...(bare ? [bare] : []), ...others])],
      }
    } finally {
      store.client.disconnect()
      for (const peer of peers) await peer.stop()
      await redis.stop()
    }
  },
}

const NO_REDIS_BENCHMARK = skipped(
  'redis-benchmark',
  'is not installed (Debian: apt-get install redis-tools)',
)

/** Adds those that start and answer to `peers`; returns a row for each of the others. */
async function startPeers(redis: TestRedis, peers: Peer[]): Promise<Row[]> {
  const missing: Row[] = []
  for (const start of PEERS) {
    const peer = await start(redis)
    if ('skipped' in peer) {
      missing.push(skipped(peer.what, peer.skipped))
      continue
    }
    try {
      await peer.run(peer.calls)
      peers.push(peer)
    } catch (error) {
      await peer.stop()
      missing.push(skipped(peer.what, String(error)))
    }
  }
  return missing
}

/** The same charges, made in two ways. */
interface Own {
  readonly ledger: Ledger
  readonly ours: Contender
  /** `undefined`: redis-benchmark is not installed. */
  readonly bare: Contender | undefined
  /** Makes so many, one at a time, and returns how long each took, in ms. */
  readonly oneByOne: (calls: number) => Promise<readonly number[]>
}

async function startOwn(redis: TestRedis, store: Store, calls: number): Promise<Own> {
  const ledger = new Ledger(store, PATIENCE)
  const { domainsToken, idAt } = await seedTenants(store, redis.port, 1, { limits: ROOMY })
  const tenant = idAt(0)
  const charge = (transaction: string) => chargeFor(tenant, domainsToken, transaction)
  // The first call may bring the script itself.
  await ledger.charge(charge('FIRST.1'), DEFAULTS)
  const call = await lastScriptCall(store.client, () => ledger.charge(charge(VARYING), DEFAULTS))

  let transaction = 0
  const next = () => charge(`${++transaction}.1`)
  const counted = (what: string, run: Contender['run']): Contender =>
    contender({ what, calls, run: (count) => expectCounted(ledger, tenant, what, count, run) })
  return {
    ledger,
    ours: counted(
      'Ledger',
      async (count) => (await makeCharges(ledger, count, IN_FLIGHT, next)).perSecond,
    ),
    bare: (await hasRedisBenchmark())
      ? counted('redis-benchmark, the same script', (count) =>
          repeat(redis.port, call, { calls: count, varying: VARYING, inFlight: IN_FLIGHT }),
        )
      : undefined,
    oneByOne: async (count) => (await makeCharges(ledger, count, 1, next)).times,
  }
}

/** @throws Error where the tenant's usage does not tell of the charges that `run` says it made. */
async function expectCounted(
  ledger: Ledger,
  tenant: string,
  what: string,
  calls: number,
  run: Contender['run'],
): Promise<number> {
  const used = async (): Promise<number> =>
    (await ledger.usage(tenant, DEFAULTS))?.unregistered[0]?.used ?? NaN
  const before = await used()
  const perSecond = await run(calls)
  // redis-benchmark now and then chooses a number twice, and that recipient is counted once.
  if (!((await used()) - before >= calls * 0.99)) {
    throw new Error(`${what}: not all of ${calls} charges were counted`)
  }
  return perSecond
}

/** Batches in turn; returns the times of charges made one at a time in between. */
async function measure(
  { ours, bare, oneByOne }: Own,
  others: readonly Contender[],
  holds: Holds,
  { client }: Store,
  { rounds, calls }: Effort['charges'],
  progress: Progress,
): Promise<readonly number[]> {
  const waits: number[] = []
  await ours.run(calls)
  for (let round = 1; round <= rounds; round++) {
    for (const each of [ours, ...(bare ? [bare] : []), ...others]) {
      progress.say(`round ${round} of ${rounds}, ${each.what}`)
      await measureBatch(each, client)
    }
    progress.say(`round ${round} of ${rounds}, holds`)
    await holds.measureBatch(Math.ceil(calls / 4))
    waits.push(...(await oneByOne(Math.ceil(calls / 20))))
  }
  return waits
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
