import type { TestHaraka } from '../scripts/services/haraka'
import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger, type Charge } from '../src/allowance/ledger'
import { CPU_TIME, cpuTime } from './cpu'
import type { Effort } from './effort'
import { keepInFlight } from './in-flight'
import { startLeanHaraka } from './lean-haraka'
import { IN_FLIGHT, makeCharges, PATIENCE } from './ledger-load'
import { accepted, sendMessages } from './mail-load'
import type { ColumnPlot, Plot } from './plot'
import type { Progress } from './progress'
import { withRedisCpu } from './redis-cpu'
import { atMost, type Measured, type Row } from './row'
import { median, quantile, spreadOf, summarize } from './stats'
import { openStore } from './store'
import type { Store } from '../src/store/store'

/** No size may cost more than this times the first. */
const MOST = 1.1
const SESSIONS = 20
/** No tenant's own. */
const MAIL = accepted('a@elsewhere.example')

/** What a Redis can be filled with. */
export interface Size {
  /** `1,000 tenants` */
  readonly label: string
  readonly fill: (store: Store, ledger: Ledger, port: number) => Promise<Filled>
}

/** Who uses it. */
export interface Filled {
  /** Each call may choose another tenant. */
  readonly charge: (transaction: string) => Charge
  /** The addresses by which Haraka knows tenants. */
  readonly ips: readonly string[]
}

/** One figure of each round. */
interface Rounds {
  /** µs a charge, many in flight: the inverse of their rate. */
  readonly time: number[]
  /** CPU of Redis a charge, in µs. */
  readonly redis: number[]
  /** ms of one charge at a time, the slowest of a hundred. */
  readonly charge: number[]
  /** CPU of Haraka a message, in µs. */
  readonly haraka: number[]
  /** ms until the answer to RCPT, the slowest of a hundred. */
  readonly answer: number[]
}

/** A Redis of one size, and a Haraka on it. */
interface Site extends Filled {
  readonly label: string
  readonly redis: TestRedis
  readonly haraka: TestHaraka
  readonly store: Store
  readonly ledger: Ledger
  readonly rounds: Rounds
}

/** Measures sites of several sizes side by side, batch by batch in turn, and compares each with the first. */
export async function compareSizes(
  sizes: readonly Size[],
  { rounds, calls, messages }: Effort['scale'],
  plot: Pick<ColumnPlot, 'name' | 'title'>,
  progress: Progress,
): Promise<Measured> {
  const sites: Site[] = []
  try {
    for (const size of sizes) {
      progress.say(`filling a Redis: ${size.label}`)
      sites.push(await build(size))
    }
    progress.say('warming up')
    for (const site of sites) {
      // Mail of every sender, so that Haraka knows them all; and a batch that does not count.
      for (const ip of site.ips) await send(site, ip, 5)
      await measure(site, calls, messages)
      clear(site.rounds)
    }
    for (let round = 1; round <= rounds; round++) {
      progress.say(`round ${round} of ${rounds}`)
      for (const site of sites) await measure(site, calls, messages)
    }
  } finally {
    for (const { store, haraka, redis } of sites) {
      store.client.disconnect()
      await haraka.stop()
      await redis.stop()
    }
  }
  return { rows: rowsOf(sites), plots: [plotOf(sites, plot)] }
}

async function build({ label, fill }: Size): Promise<Site> {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  const ledger = new Ledger(store, PATIENCE)
  const filled = await fill(store, ledger, redis.port)
  const haraka = await startLeanHaraka({ redis, plugins: ['unregistered-domain'] })
  const rounds: Rounds = { time: [], redis: [], charge: [], haraka: [], answer: [] }
  return { label, redis, haraka, store, ledger, rounds, ...filled }
}

let transactions = 0

async function measure(site: Site, calls: number, messages: number): Promise<void> {
  const { store, ledger, haraka, rounds } = site
  const charge = () => site.charge(`${++transactions}.1`)
  const many = await withRedisCpu(store.client, () => makeCharges(ledger, calls, IN_FLIGHT, charge))
  rounds.time.push(1e6 / many.result.perSecond)
  rounds.redis.push(many.cpu / calls)
  const alone = await makeCharges(ledger, Math.ceil(calls / 5), 1, charge)
  rounds.charge.push(quantile(alone.times, 0.99))

  const answers: number[] = []
  const before = CPU_TIME ? cpuTime(haraka.pid) : NaN
  await keepInFlight(SESSIONS, SESSIONS, () =>
    send(site, anyOf(site.ips), Math.ceil(messages / SESSIONS), (ms) => answers.push(ms)),
  )
  if (CPU_TIME) rounds.haraka.push((cpuTime(haraka.pid) - before) / answers.length)
  rounds.answer.push(quantile(answers, 0.99))
}

/** Messages in one session. */
function send(
  { haraka }: Site,
  ip: string,
  messages: number,
  onDecision?: (ms: number) => void,
): Promise<void> {
  const what = { port: haraka.port, mail: MAIL, ip, messages, sessions: 1 }
  return sendMessages({ ...what, ...(onDecision && { onDecision }) })
}

function anyOf<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!
}

function clear(rounds: Rounds): void {
  for (const figures of Object.values(rounds) as number[][]) figures.length = 0
}

/** What is compared with the first size. */
const COMPARED = [
  { of: 'time', what: 'time a charge', digits: 1, unit: 'µs' },
  { of: 'redis', what: 'CPU of Redis a charge', digits: 1, unit: 'µs' },
  { of: 'charge', what: 'a charge alone, p99', digits: 2, unit: 'ms' },
  { of: 'haraka', what: 'CPU of Haraka a message', digits: 0, unit: 'µs' },
  { of: 'answer', what: 'answer to RCPT, p99', digits: 1, unit: 'ms' },
] as const satisfies readonly { of: keyof Rounds; what: string; digits: number; unit: string }[]

type Compared = (typeof COMPARED)[number]

function rowsOf(sites: readonly Site[]): Row[] {
  const [first, ...others] = sites
  if (!first) return []
  return COMPARED.filter(({ of }) => first.rounds[of].length > 0).flatMap((compared) => [
    firstRow(first, compared),
    ...others.map((site) => ratioRow(site, first, compared)),
  ])
}

function firstRow({ label, rounds }: Site, { of, what, digits, unit }: Compared): Row {
  const figure = median(rounds[of])
  return {
    what: `${label}: ${what}`,
    figure: `${figure.toFixed(digits)} ${unit}`,
    detail: of === 'time' ? rateOf(figure) : '',
    numbers: { [unit === 'ms' ? 'ms' : 'us']: figure },
  }
}

function ratioRow(site: Site, first: Site, { of, what, digits, unit }: Compared): Row {
  const summary = summarize([ratios(site, first, of)])
  const figure = median(site.rounds[of])
  return {
    what: `${site.label}: ${what}`,
    figure: `${summary.ratio.toFixed(3)} ×`,
    detail: [
      `${figure.toFixed(digits)} ${unit}`,
      ...(of === 'time' ? [rateOf(figure)] : []),
      spreadOf(summary, site.rounds[of].length),
    ].join('; '),
    target: atMost(MOST, summary.ratio, ' ×'),
    numbers: { ...summary, [unit === 'ms' ? 'ms' : 'us']: figure },
  }
}

/** `81,234 /s` */
function rateOf(us: number): string {
  return `${Math.round(1e6 / us).toLocaleString('en-US')} /s`
}

/** Round by round: what slows the machine down meets both. */
function ratios(site: Site, first: Site, of: keyof Rounds): number[] {
  return site.rounds[of].map((figure, round) => figure / (first.rounds[of][round] ?? NaN))
}

function plotOf(sites: readonly Site[], plot: Pick<ColumnPlot, 'name' | 'title'>): Plot {
  const [first] = sites
  return {
    kind: 'columns',
    ...plot,
    measure: `${first?.label} = 1; medians of the rounds`,
    categories: sites.map(({ label }) => label),
    series: COMPARED.map(({ of, what }) => ({
      label: what,
      values: sites.map((site) =>
        first && site.rounds[of].length > 0 ? median(ratios(site, first, of)) : null,
      ),
    })),
    target: MOST,
  }
}
