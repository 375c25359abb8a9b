import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import type { Store } from '../src/store/store'
import { bars } from './chart'
import { chargeFor, IN_FLIGHT, makeCharges, PATIENCE, ROOMY } from './charge'
import { withRedisCpu } from './measure'
import { ratioRow, skipped, whole, type Section } from './row'
import { seedTenants } from './seed'
import { median } from './stats'
import { openStore } from './store'

/** The allowed cost of a charge for Redis, relative to one tenant. */
const MOST = 1.12
/** Memory of Redis that an active tenant needs, with room to spare, in bytes. */
const BYTES_A_TENANT = 3_000

const FULL = { counts: [1, 1_000, 1_000_000], rounds: 13, calls: 6_000 }
const QUICK = { counts: [1, 1_000, 100_000], rounds: 3, calls: 3_000 }

/** A Redis with this many tenants. */
interface Site {
  readonly label: string
  readonly redis: TestRedis
  readonly store: Store
  /** Makes `count` charges, each of a random tenant. */
  readonly charge: (calls: number) => Promise<unknown>
  /** CPU of Redis a charge in µs, of each round. */
  readonly cpu: number[]
}

const TITLE = 'CPU of Redis a charge, by number of tenants'

/** Compares the cost of a charge for Redis by number of tenants. */
export const tenants: Section = {
  name: 'tenants',
  title: TITLE,
  meaning:
    `A Redis for each number of active tenants (two windows). Each charge goes to a tenant chosen at random, ${IN_FLIGHT} ` +
    'in flight. Batches go in turn, and each is compared with the batch at one tenant beside it: the figure is the ' +
    'median of these ratios.',
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
      for (const { charge } of sites) await charge(calls)
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}`)
        for (const { store, charge, cpu } of sites) {
          cpu.push((await withRedisCpu(store.client, () => charge(calls))).cpu / calls)
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
    const ratios = ({ cpu }: Site) => cpu.map((us, round) => us / first.cpu[round]!)
    const figure = ({ cpu }: Site) => `${median(cpu).toFixed(1)} µs`
    const about = { name: 'tenants', title: TITLE, measure: 'one tenant = 1' }
    const values = sites.map((site) => median(ratios(site)))
    return {
      rows: [
        { what: first.label, figure: figure(first), numbers: { us: median(first.cpu) } },
        ...others.map((site) =>
          ratioRow(site.label, [ratios(site)], MOST, { detail: figure(site) }),
        ),
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
  const charge = (calls: number) => makeCharges(ledger, calls, IN_FLIGHT, next)
  return { label: labelOf(count), redis, store, charge, cpu: [] }
}
