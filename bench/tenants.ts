import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import type { Store } from '../src/store/store'
import { bars } from './chart'
import { chargeFor, IN_FLIGHT, keepInFlight, makeCharges, PATIENCE, ROOMY } from './charge'
import { withRedisCpu } from './measure'
import { ratioRow, skipped, whole, type Row, type Section } from './row'
import { seedTenants } from './seed'
import { median } from './stats'
import { openStore } from './store'

/** The allowed cost of a charge for Redis, relative to one tenant. */
const MOST = 1.12
/** Memory of Redis that an active tenant needs, with room to spare, in bytes. */
const BYTES_A_TENANT = 3_000

const FULL = { counts: [1, 1_000, 1_000_000], rounds: 13, calls: 6_000 }
const QUICK = { counts: [1, 1_000, 100_000], rounds: 3, calls: 3_000 }

const CHARGE = 'charge'
/** The least that a charge needs of Redis: a field of each of its keys. */
const IN_SCRIPT = 'four HGETs in a script'
const BARE = 'four HGETs'
const WORK = [CHARGE, IN_SCRIPT, BARE] as const
type Work = (typeof WORK)[number]

const FOUR_HGETS = {
  name: 'four_hgets',
  source: "for at = 1, 4 do redis.call('HGET', KEYS[at], ARGV[at]) end",
}
const FIELDS = ['limits', 'u3600000', 'scope', '1'] as const

/** A Redis with this many tenants. */
interface Site {
  readonly label: string
  readonly redis: TestRedis
  readonly store: Store
  /** Each call is about a random tenant. */
  readonly work: Readonly<Record<Work, (calls: number) => Promise<unknown>>>
  /** CPU of Redis a call in µs, of each round. */
  readonly cpu: Readonly<Record<Work, number[]>>
}

const TITLE = 'CPU of Redis a charge, by number of tenants'

/** Compares the cost of a charge for Redis by number of tenants. */
export const tenants: Section = {
  name: 'tenants',
  title: TITLE,
  meaning:
    `A Redis for each number of active tenants (two windows). Each charge goes to a tenant chosen at random, ${IN_FLIGHT} ` +
    'in flight. Batches go in turn, and each is compared with the batch at one tenant beside it: the figure is the ' +
    'median of these ratios. With many tenants the keys of one are no longer in the cache of the processor: four HGETs ' +
    'of the same four keys show what that costs at least.',
  async run({ quick, say }) {
    const { counts, rounds, calls } = quick ? QUICK : FULL
    const enough = counts.filter((count) => count * BYTES_A_TENANT < process.availableMemory())
    const missing = counts.filter((count) => !enough.includes(count))
    const sites: Site[] = []
    try {
      for (const count of enough) {
        say(`filling a Redis: ${whole(count)} tenants`)
        sites.push(await build(count))
      }
      for (const { work } of sites) for (const each of WORK) await work[each](calls)
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}`)
        for (const each of WORK) {
          for (const { store, work, cpu } of sites) {
            const measured = await withRedisCpu(store.client, () => work[each](calls))
            cpu[each].push(measured.cpu / calls)
          }
        }
      }
    } finally {
      for (const { store, redis } of sites) {
        store.client.disconnect()
        await redis.stop()
      }
    }
    const [first, ...others] = sites as [Site, ...Site[]]
    // Round by round, so that a slow machine affects both.
    const ratios = ({ cpu }: Site, each: Work) =>
      cpu[each].map((us, round) => us / first.cpu[each][round]!)
    const figure = ({ cpu }: Site, each: Work) => `${median(cpu[each]).toFixed(1)} µs`
    const about = { name: 'tenants', title: TITLE, measure: 'one tenant = 1' }
    const values = sites.map((site) => median(ratios(site, CHARGE)))
    return {
      rows: [
        ...WORK.flatMap((each) => [
          {
            what: rowName(each, first),
            figure: figure(first, each),
            numbers: { us: median(first.cpu[each]) },
          },
          ...others.map((site) =>
            ratioRow(
              rowName(each, site),
              [ratios(site, each)],
              each === CHARGE ? MOST : undefined,
              { detail: figure(site, each), context: each !== CHARGE },
            ),
          ),
        ]),
        ...others.map((site) => moreRow(site, first)),
        ...missing.map((count) => skipped(labelOf(count), 'needs more memory than is free')),
      ],
      pictures: [
        bars(
          about,
          sites.map(({ label }) => label),
          [{ label: 'CPU', values }],
        ),
      ],
    }
  },
}

/** Its charges alone name a site: the bench of another version has these rows too. */
function rowName(each: Work, { label }: Site): string {
  return each === CHARGE ? label : `${each}, ${label}`
}

/** How much more each costs with many tenants: a charge by as much as its four keys, or by more. */
function moreRow(site: Site, first: Site): Row {
  const [charge, ...floor] = WORK.map((each) =>
    median(site.cpu[each].map((us, round) => us - first.cpu[each][round]!)),
  ) as [number, ...number[]]
  return {
    what: `more for a charge, ${site.label}`,
    figure: `${charge.toFixed(1)} µs`,
    detail: WORK.slice(1)
      .map((each, at) => `${each} ${floor[at]!.toFixed(1)} µs`)
      .join(', '),
    numbers: { us: charge, floorUs: floor },
  }
}

function labelOf(count: number): string {
  return count === 1 ? '1 tenant' : `${whole(count)} tenants`
}

async function build(count: number): Promise<Site> {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  const ledger = new Ledger(store, PATIENCE)
  const { domainsToken, idAt } = await seedTenants(store, count, { limits: ROOMY, ledger })
  let transactions = 0
  const next = () => {
    const tenant = idAt(Math.floor(Math.random() * count))
    return chargeFor(tenant, domainsToken, `${++transactions}.1`)
  }
  const { client, keys } = store
  const keysOfNext = () => {
    const { tenant, transaction } = next()
    const receipt = keys.receipt(tenant, transaction)
    return [keys.tenant(tenant), keys.usage(tenant), keys.restriction(tenant), receipt]
  }
  const work: Site['work'] = {
    [CHARGE]: (calls) => makeCharges(ledger, calls, IN_FLIGHT, next),
    [IN_SCRIPT]: (calls) =>
      keepInFlight(calls, IN_FLIGHT, () => store.run(FOUR_HGETS, keysOfNext(), [...FIELDS])),
    [BARE]: (calls) =>
      keepInFlight(calls, IN_FLIGHT, () =>
        Promise.all(keysOfNext().map((key, at) => client.hget(key, FIELDS[at]!))),
      ),
  }
  const cpu: Site['cpu'] = { [CHARGE]: [], [IN_SCRIPT]: [], [BARE]: [] }
  return { label: labelOf(count), redis, store, work, cpu }
}
