import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import type { Store } from '../src/store/store'
import { IN_FLIGHT, makeCharges, PATIENCE, ROOMY } from './ledger-load'
import { withRedisCpu } from './redis-cpu'
import { atMost, type Row, type Section } from './row'
import { chargeFor, seedTenants, type SeededTenants } from './seed'
import { median, spreadOf, summarize } from './stats'
import { openStore } from './store'

/** A Redis with so many tenants. */
interface Population {
  readonly count: number
  readonly redis: TestRedis
  readonly store: Store
  readonly ledger: Ledger
  readonly tenants: SeededTenants
  readonly rates: number[]
  /** µs of Redis a charge. */
  readonly cpu: number[]
}

/** Whether charges get slower with the number of tenants. */
export const tenants: Section = {
  name: 'tenants',
  title: 'Charges a second by number of tenants',
  meaning:
    'A Redis each with so many active tenants (two windows), side by side; each charge goes to a tenant chosen at ' +
    'random, and the batches go in turn. Ratios are CPU of Redis a charge against the Redis with one tenant: the ' +
    'rate itself also depends on how busy the machine is.',
  async run({ tenants: { counts, rounds, calls } }, progress) {
    const populations: Population[] = []
    try {
      for (const count of counts) {
        progress.say(`seeding ${count.toLocaleString('en-US')}`)
        populations.push(await populate(count))
      }
      for (const population of populations) await measure(population, calls)
      for (const { rates, cpu } of populations) rates.length = cpu.length = 0
      for (let round = 1; round <= rounds; round++) {
        progress.say(`round ${round} of ${rounds}`)
        for (const population of populations) await measure(population, calls)
      }
      const [first] = populations
      return { rows: first ? populations.map((population) => rowOf(population, first)) : [] }
    } finally {
      for (const { store, redis } of populations) {
        store.client.disconnect()
        await redis.stop()
      }
    }
  },
}

async function populate(count: number): Promise<Population> {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  const ledger = new Ledger(store, PATIENCE)
  const seeded = await seedTenants(store, count, { limits: ROOMY, ledger })
  return { count, redis, store, ledger, tenants: seeded, rates: [], cpu: [] }
}

let transactions = 0

async function measure(population: Population, calls: number): Promise<void> {
  const { count, store, ledger, tenants: seeded, rates, cpu } = population
  const charge = () => {
    const tenant = seeded.idAt(Math.floor(Math.random() * count))
    return chargeFor(tenant, seeded.domainsToken, `${++transactions}.1`)
  }
  const measured = await withRedisCpu(store.client, () =>
    makeCharges(ledger, calls, IN_FLIGHT, charge),
  )
  rates.push(measured.result.perSecond)
  cpu.push(measured.cpu / calls)
}

function rowOf({ count, rates, cpu }: Population, first: Population): Row {
  const perSecond = median(rates)
  const us = median(cpu)
  const what = `${count.toLocaleString('en-US')} tenant${count === 1 ? '' : 's'}`
  const figure = `${Math.round(perSecond).toLocaleString('en-US')} /s`
  const cost = `CPU of Redis ${us.toFixed(1)} µs a charge`
  if (count === first.count) return { what, figure, detail: cost, numbers: { perSecond, us } }
  const summary = summarize([cpu.map((each, round) => each / (first.cpu[round] ?? NaN))])
  return {
    what,
    figure: `${figure}, ${summary.ratio.toFixed(2)} ×`,
    detail: `${cost}; ${spreadOf(summary, rates.length)}`,
    target: atMost(1.1, summary.ratio, ' ×'),
    numbers: { perSecond, us, ...summary },
  }
}
