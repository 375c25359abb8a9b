import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import { TopReader } from '../src/operations/top'
import { loadConfig } from '../src/process/config-file'
import type { Store } from '../src/store/store'
import { record } from '../test/support/reports'
import { PATIENCE } from './charge'
import { callsDuring, withRedisCpu } from './measure'
import { atMost, whole, type Row, type Section } from './row'
import { seedTenants } from './seed'
import { openStore } from './store'

const TWO_WINDOWS = '300/1h, 1500/1d'
/** Domains and addresses of each active tenant. */
const SOURCES = 20
/** Active tenants with reports: more than a refresh reads. */
const REPORTED = 600
/** The target, in µs: a hundredth of Redis at one refresh a second. */
const MOST = 10_000

const FULL = { many: 100_000, refreshes: 100 }
const QUICK = { many: 10_000, refreshes: 20 }

/** What `tenantctl top` costs Redis. */
export const top: Section = {
  name: 'top',
  title: 'CPU of Redis a refresh of tenantctl top',
  meaning:
    `Each active tenant has ${SOURCES} domains and addresses in this hour, and two windows. A refresh in which all active ` +
    'tenants have new mail, which is most often every fifth one, and beside it one in which none has. Where more are ' +
    'active than a refresh reads, it reads those with the newest mail.',
  async run({ quick, say }) {
    const { many, refreshes } = quick ? QUICK : FULL
    const rows: Row[] = []
    for (const [count, active] of [
      [10, 10],
      [many, 10],
      [many, many],
    ] as const) {
      say(`${whole(count)} tenants, ${whole(active)} active`)
      rows.push(await measured(count, active, refreshes))
    }
    return { rows }
  },
}

async function measured(count: number, active: number, refreshes: number): Promise<Row> {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  try {
    await fill(store, count, active)
    const { config } = loadConfig(undefined)
    const fresh = (): TopReader => new TopReader(store, config, PATIENCE)
    const all = await costOf(redis, store, refreshes, () => fresh().list())
    const reader = fresh()
    await reader.list()
    const none = await costOf(redis, store, refreshes, () => reader.list())
    return {
      what: `${whole(count)} tenants, ${whole(active)} active`,
      figure: `${whole(all.us)} µs`,
      detail: `${whole(all.commands)} commands; without new mail ${whole(none.us)} µs, ${whole(none.commands)} commands`,
      target: atMost(MOST, all.us, ' µs'),
      numbers: { us: all.us, commands: all.commands, idleUs: none.us, idleCommands: none.commands },
    }
  } finally {
    store.client.disconnect()
    await redis.stop()
  }
}

async function fill(store: Store, count: number, active: number): Promise<void> {
  const ledger = new Ledger(store, PATIENCE)
  const { idAt } = await seedTenants(store, count, { limits: TWO_WINDOWS, ledger })
  const ids = Array.from({ length: active }, (_, at) => idAt(at))
  const at = Date.now()
  for (let from = 0; from < active; from += 1000) {
    const some = ids.slice(from, from + 1000)
    await store.client.zadd(store.keys.reported, ...some.flatMap((id) => [at - 1, id]))
  }
  await Promise.all(ids.slice(0, REPORTED).map((id) => recordMail(store, id, at)))
}

/** One row of the minutes for each connector, and rows by source. */
async function recordMail(store: Store, id: string, at: number): Promise<void> {
  for (let source = 0; source < SOURCES; source++) {
    await record(store, id, {
      ...{ at, accepted: 3, refused: 1, connector: `${id}/mx${source % 3}` },
      ...{ domain: `d${source}.example`, ip: `192.0.2.${source}` },
    })
  }
}

async function costOf(
  redis: TestRedis,
  { client }: Store,
  refreshes: number,
  refresh: () => Promise<unknown>,
): Promise<{ readonly us: number; readonly commands: number }> {
  await refresh()
  const { cpu } = await withRedisCpu(client, async () => {
    for (let done = 0; done < refreshes; done++) await refresh()
  })
  return { us: cpu / refreshes, commands: await callsDuring(redis, refresh) }
}
