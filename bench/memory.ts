import { startRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import type { Store } from '../src/store/store'
import { chargeFor, DEFAULTS, PATIENCE } from './charge'
import { usedMemory } from './measure'
import { atMost, megabytes, whole, type Row, type Run, type Section } from './row'
import { seedTenants } from './seed'
import { startServers } from './servers'
import { runSession, step } from './smtp-session'
import { openStore } from './store'
import { heldBy, WITNESS } from './witness'

const TENANTS = 10_000
const THREE_WINDOWS = '300/1h, 1500/1d, 5000/7d'
/** The allowed growth of a worker after the mail of many more tenants than its cache holds. */
const MOST_GROWTH = 1.1

/** A plugin that names the tenant of each message, as an operator's plugin may. */
const NAME_TENANT = `
exports.hook_mail = (next, connection, [address]) => { connection.notes.bench_tenant = address.user; next() }
`

/** The memory of a tenant in Redis and in a worker. */
export const memory: Section = {
  name: 'memory',
  title: 'Memory, of Redis and of a worker',
  meaning:
    `MEMORY USAGE of all keys of one tenant except its receipts, which go after an hour, among ${whole(TENANTS)} tenants ` +
    'with one accepted domain each. "Altogether" is the growth of the memory of Redis divided by the tenants: with ' +
    'indexes and the table of keys. A worker is a Haraka that gets one transaction of each tenant, one after the ' +
    'other. It remembers 10,000 tenants, so beyond these its memory should not grow. Measured after a collection of ' +
    'garbage, and compared with the number of tenants before.',
  async run({ quick, say }) {
    say('Redis')
    return {
      rows: [
        await redisRow('idle tenant, one domain', false, 800),
        await redisRow('active tenant, one domain, three windows', true, 3_000),
        ...(await workerRows(quick ? [1_000, 12_000, 20_000] : [1_000, 20_000, 100_000], say)),
      ],
    }
  },
}

async function redisRow(what: string, active: boolean, most: number): Promise<Row> {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  try {
    const ledger = new Ledger(store, PATIENCE)
    const before = await usedMemory(store.client)
    const { idAt, domainsToken } = await seedTenants(store, TENANTS, {
      name: 'Example Inc.',
      ...(active && { limits: THREE_WINDOWS, ledger }),
    })
    const altogether = ((await usedMemory(store.client)) - before) / TENANTS
    const tenant = idAt(TENANTS - 1)
    // Charged, not copied: a copied key may be packed tighter than one that grew.
    if (active) await ledger.charge(chargeFor(tenant, domainsToken), DEFAULTS)
    const bytes = await bytesOf(store, tenant)
    return {
      what,
      figure: `${whole(bytes)} bytes`,
      detail: `altogether ${whole(altogether)} bytes`,
      target: atMost(most, bytes, ' bytes'),
      numbers: { bytes, bytesAltogether: altogether },
    }
  } finally {
    store.client.disconnect()
    await redis.stop()
  }
}

/** All keys of the tenant except its receipts. */
async function bytesOf({ client, keys }: Store, tenant: string): Promise<number> {
  const names = await client.keys(`${keys.tenant(tenant)}*`)
  const receipts = keys.receipt(tenant, '')
  let bytes = 0
  for (const name of names.filter((each) => !each.startsWith(receipts))) {
    bytes += Number(await client.call('MEMORY', 'USAGE', name, 'SAMPLES', '0'))
  }
  return bytes
}

async function workerRows(counts: readonly number[], say: Run['say']): Promise<Row[]> {
  let idAt = String as (number: number) => string
  const servers = await startServers(
    async (store) => void ({ idAt } = await seedTenants(store, counts.at(-1)!)),
    (redis) => ({
      ours: {
        redis,
        plugins: ['bench_tenant', WITNESS.name, 'unregistered-domain'],
        localPlugins: { bench_tenant: NAME_TENANT, [WITNESS.name]: WITNESS.text },
        settings: { attribution: { note: 'bench_tenant' } },
      },
    }),
  )
  const { ours } = servers.harakas
  try {
    const rows: Row[] = []
    let number = 0
    let before: number | undefined
    for (const count of counts) {
      say(`worker: mail of ${whole(count)} tenants`)
      const next = () => {
        if (number >= count) return undefined
        const id = idAt(number++)
        return [step(`MAIL FROM:<${id}@${id}.com>`, '250'), step('RSET', '250')]
      }
      const session = () => runSession({ port: ours.port, ip: '127.0.0.1', next })
      await Promise.all(Array.from({ length: 20 }, session))
      const [held] = await heldBy(ours)
      const { rss, heapUsed } = held!
      const ratio = before === undefined ? undefined : rss / before
      const last = count === counts.at(-1)
      rows.push({
        what: `worker after mail of ${whole(count)} tenants, resident`,
        figure: [megabytes(rss), ...(ratio ? [`${ratio.toFixed(2)} ×`] : [])].join(', '),
        detail: `of which heap in use ${megabytes(heapUsed)}`,
        ...(last && ratio && { target: atMost(MOST_GROWTH, ratio, ' ×') }),
        numbers: { rssBytes: rss, heapBytes: heapUsed },
      })
      before = rss
    }
    return rows
  } finally {
    await servers.stop()
  }
}
