import { startRedis } from '../scripts/services/redis'
import { defaultsOf } from '../src/allowance/defaults'
import { Ledger } from '../src/allowance/ledger'
import { Restrictions } from '../src/allowance/restriction'
import { Exporter } from '../src/metrics/exporter'
import { loadConfig } from '../src/process/config-file'
import type { Store } from '../src/store/store'
import { beat } from '../test/support/nodes'
import { PATIENCE } from './charge'
import { callsDuring, withRedisCpu } from './measure'
import { atMost, whole, type Row, type Section } from './row'
import { noteMail, seedTenants } from './seed'
import { Times } from './stats'
import { openStore } from './store'

const TWO_WINDOWS = '300/1h, 1500/1d'
const RESTRICTED = 10
const PROCESSES = 24
/** The targets: of one text, in ms, and of its series. */
const LONGEST = 200
const MOST_SERIES = 500

const FULL = { many: 100_000, texts: 50 }
const QUICK = { many: 10_000, texts: 10 }

/** What a scrape of `tenantctl metrics` takes. */
export const metrics: Section = {
  name: 'metrics',
  title: 'A scrape of tenantctl metrics',
  meaning:
    `${RESTRICTED} tenants are restricted, ${PROCESSES} processes report, and all tenants have had mail. The first text ` +
    'comes before the exporter has read all tenants, which it does in the background; each later one reads the tenants ' +
    'with new mail since.',
  async run({ quick, say }) {
    const { many, texts } = quick ? QUICK : FULL
    const rows: Row[] = []
    for (const [count, active] of [
      [10, 10],
      [many, 10],
      [many, 1000],
    ] as const) {
      say(`${whole(count)} tenants, ${whole(active)} with new mail`)
      rows.push(...(await measured(count, active, texts)))
    }
    return { rows }
  },
}

async function measured(count: number, active: number, texts: number): Promise<Row[]> {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  try {
    const ids = await fill(store, count)
    const exporter = exporterOf(store)
    const asked = performance.now()
    const first = await exporter.text()
    const firstMs = performance.now() - asked
    const text = await settled(exporter, count)
    const series = (each: string): number =>
      each.split('\n').filter((line) => /^\w/.test(line)).length
    const some = ids.slice(-active)
    const times = new Times()
    const { cpu } = await withRedisCpu(store.client, async () => {
      for (let done = 0; done < texts; done++) {
        await noteMail(store, some)
        const begun = performance.now()
        await exporter.text()
        times.add(performance.now() - begun)
      }
    })
    const commands = await callsDuring(redis, () => exporter.text())
    const what = `${whole(count)} tenants, ${whole(active)} with new mail`
    const p99 = times.quantile(0.99)
    return [
      {
        what: `${what}: a text, p99`,
        figure: `${p99.toFixed(1)} ms`,
        detail: `p50 ${times.quantile(0.5).toFixed(1)} ms, the first ${firstMs.toFixed(1)} ms; Redis ${whole(cpu / texts)} µs, ${whole(commands)} commands`,
        target: atMost(LONGEST, Math.max(p99, firstMs), ' ms'),
        numbers: { p99Ms: p99, firstMs, redisUs: cpu / texts, commands },
      },
      {
        what: `${what}: series`,
        figure: whole(series(text)),
        detail: `${whole(text.length)} octets; the first text ${whole(series(first))} series`,
        target: atMost(MOST_SERIES, series(text)),
        numbers: { series: series(text), bytes: text.length },
      },
    ]
  } finally {
    store.client.disconnect()
    await redis.stop()
  }
}

async function fill(store: Store, count: number): Promise<readonly string[]> {
  const ledger = new Ledger(store, PATIENCE)
  const { idAt } = await seedTenants(store, count, { limits: TWO_WINDOWS, ledger })
  const ids = Array.from({ length: count }, (_, at) => idAt(at))
  await noteMail(store, ids)
  const restrictions = new Restrictions(store)
  for (const id of ids.slice(0, Math.min(RESTRICTED, count / 2))) {
    await restrictions.place(id, { scope: 'unregistered', by: 'bench', reason: 'bench' })
  }
  for (let at = 0; at < PROCESSES; at++) await beat(store, { id: `mx${at % 6}/${at}` })
  return ids
}

function exporterOf(store: Store): Exporter {
  const { config } = loadConfig(undefined)
  return new Exporter({
    ...{ store, settings: config.metrics, defaults: defaultsOf(config), version: '0' },
    ...{ commandTimeout: PATIENCE, cached: 0, onTrouble: console.error },
  })
}

/** The text when all tenants have been read. */
async function settled(exporter: Exporter, count: number): Promise<string> {
  for (;;) {
    const text = await exporter.text()
    const [, left = '0'] = /^unregistered_domain_tenants_not_shown (\d+)$/m.exec(text) ?? []
    const shown = new Set([...text.matchAll(/tenant="([^"]*)"/g)].map(([, tenant]) => tenant))
    if (Number(left) + shown.size >= count) return text
  }
}
