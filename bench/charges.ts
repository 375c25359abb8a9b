import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger, type MessageCharge } from '../src/allowance/ledger'
import type { Store } from '../src/store/store'
import { bars } from './chart'
import {
  chargeFor,
  DEFAULTS,
  IN_FLIGHT,
  keepInFlight,
  makeCharges,
  PATIENCE,
  ROOMY,
} from './charge'
import { isInstalled } from './machine'
import { withRedisCpu } from './measure'
import { lastScriptCall, repeat } from './redis-benchmark'
import { atLeast, ratioRow, skipped, timesRow, whole, type Row, type Section } from './row'
import { seedTenant } from './seed'
import { median } from './stats'
import { openStore } from './store'

/** Placeholder for the transaction in the call that redis-benchmark repeats. */
const VARYING = 'BENCHMARK.1'

const FULL = { rounds: 9, calls: 20_000 }
const QUICK = { rounds: 3, calls: 5_000 }

/** Counts recipients in one of several ways. */
interface Contender {
  readonly what: string
  /** Counts recipients, and returns how many it counted a second. */
  readonly run: (calls: number) => Promise<number>
  /** Of each round. */
  readonly rates: number[]
  /** CPU of Redis a recipient in µs, of each round. */
  readonly cpu: number[]
}

/** How many recipients one process can count. */
export const charges: Section = {
  name: 'charges',
  title: 'Charges a second',
  meaning:
    `One tenant with two windows, one process, one connection, ${IN_FLIGHT} charges in flight; every charge leaves a ` +
    'receipt. The ledger is the code of the plugin and decodes each answer. redis-benchmark (C) repeats the same ' +
    'EVALSHA word for word, with as many in flight, and ignores the answers. Batches in turn; the ratio is the median ' +
    'of the pairs. CPU of Redis says how many charges one core carries. Mail that may be a forward is held at RCPT ' +
    'and counted at the end of DATA: two calls for a recipient. One charge at a time says how long a message waits.',
  async run({ quick, say }) {
    const { rounds, calls } = quick ? QUICK : FULL
    const redis = await startRedis()
    const store = await openStore(redis.port)
    try {
      const ledger = new Ledger(store, PATIENCE)
      const next = await nextCharge(store, 'contoso')
      const ours = contender('ledger', (count) => charge(ledger, count, next))
      const bare = isInstalled('redis-benchmark')
        ? await benchmark(redis, store, ledger)
        : undefined
      const all = [
        ...[ours, ...(bare ? [bare] : [])],
        await forwards(store, ledger, 'forwarded'),
        await forwards(store, ledger, 'unregistered'),
      ]
      for (const { run } of all) await run(IN_FLIGHT)
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}`)
        for (const { run, rates, cpu } of all) {
          const measured = await withRedisCpu(store.client, () => run(calls))
          rates.push(measured.result)
          cpu.push(measured.cpu / calls)
        }
      }
      const { times } = await makeCharges(ledger, calls / 5, 1, next)
      return {
        rows: [
          ...(bare ? [comparison(ours, bare)] : [NO_REDIS_BENCHMARK]),
          timesRow('one charge at a time', times),
          ...all.map((each) => rateRow(each, ours)),
        ],
        pictures: [picture(all)],
      }
    } finally {
      store.client.disconnect()
      await redis.stop()
    }
  },
}

const NO_REDIS_BENCHMARK = skipped(
  'redis-benchmark',
  'is not installed (Debian: apt-get install redis-tools)',
)

function contender(what: string, run: Contender['run']): Contender {
  return { what, run, rates: [], cpu: [] }
}

/** Registers a tenant. Each call returns its next recipient, in a new transaction. */
async function nextCharge(store: Store, tenant: string, settings = {}) {
  const token = await seedTenant(store, tenant, [`${tenant}.com`], { limits: ROOMY, ...settings })
  let transaction = 0
  return () => chargeFor(tenant, token, `${++transaction}.1`)
}

async function charge(ledger: Ledger, count: number, next: () => ReturnType<typeof chargeFor>) {
  return (await makeCharges(ledger, count, IN_FLIGHT, next)).perSecond
}

/** The call of the ledger, repeated by redis-benchmark. */
async function benchmark(redis: TestRedis, store: Store, ledger: Ledger): Promise<Contender> {
  const token = await seedTenant(store, 'bare', ['bare.com'], { limits: ROOMY })
  const make = (transaction: string) =>
    ledger.charge(chargeFor('bare', token, transaction), DEFAULTS)
  // The first call may load the script.
  await make('FIRST.1')
  const call = await lastScriptCall(store.client, () => make(VARYING))
  const used = async () => (await ledger.usage('bare', DEFAULTS))?.unregistered[0]?.used ?? NaN
  return contender('redis-benchmark, the same script', async (calls) => {
    const before = await used()
    const options = { calls, varying: VARYING, inFlight: IN_FLIGHT }
    const perSecond = await repeat(redis.port, call, options)
    // It sometimes repeats a number, and counts that recipient once.
    const counted = (await used()) - before
    if (counted < calls * 0.99) throw new Error(`redis-benchmark: ${counted} of ${calls} counted`)
    return perSecond
  })
}

/** Recipients held at RCPT and counted on this meter at the end of DATA. */
async function forwards(store: Store, ledger: Ledger, meter: MessageCharge['meter']) {
  const next = await nextCharge(store, `held-${meter}`, { forwardedLimits: ROOMY })
  const expected = meter === 'forwarded' ? 'FORWARDED' : 'CHARGED'
  return contender(`held, then ${meter}`, async (calls) => {
    const begin = performance.now()
    // A tenant can have 200 holds at a time.
    for (let done = 0; done < calls; done += IN_FLIGHT) {
      const held = Array.from({ length: IN_FLIGHT }, next)
      await makeCharges(ledger, IN_FLIGHT, IN_FLIGHT, (number) => held[number]!, 'HELD')
      await keepInFlight(IN_FLIGHT, IN_FLIGHT, async (number) => {
        const { tenant, domain, connector, ip, transaction } = held[number]!
        const { answer } = await ledger.chargeMessage(
          {
            ...{ tenant, domain, connector, ip, transaction, meter, ordinals: [1] },
            // As long as the hash of a signature.
            signatures: meter === 'forwarded' ? [transaction.padStart(32, '0')] : [],
          },
          DEFAULTS,
        )
        if (answer !== expected) throw new Error(`a held recipient was answered ${answer}`)
      })
    }
    return (calls * 1_000) / (performance.now() - begin)
  })
}

function comparison(ours: Contender, bare: Contender): Row {
  const ratios = ours.rates.map((rate, round) => rate / bare.rates[round]!)
  const cpu = median(ours.cpu) / median(bare.cpu)
  const detail = `CPU of Redis ${cpu.toFixed(2)} ×`
  const what = 'charges a second, ledger against redis-benchmark'
  return ratioRow(what, [ratios], 0.9, { detail, targetOf: atLeast })
}

function rateRow({ what, rates, cpu }: Contender, ours: Contender): Row {
  const [perSecond, us] = [median(rates), median(cpu)]
  const ratio = us / median(ours.cpu)
  return {
    what,
    figure: `${whole(perSecond)} /s`,
    detail:
      `${rates.length} rounds ${whole(Math.min(...rates))} to ${whole(Math.max(...rates))}; ` +
      `CPU of Redis ${us.toFixed(1)} µs a recipient, ${ratio.toFixed(2)} × the ledger's`,
    numbers: { perSecond, us, rates },
  }
}

function picture(all: readonly Contender[]) {
  const measure = 'Median of the rounds, one process asking'
  return bars(
    { name: 'charges', title: 'Recipients counted a second', measure },
    all.map(({ what }) => what.replace(', ', ',\n')),
    [{ label: 'a second', values: all.map(({ rates }) => median(rates)) }],
  )
}
