import { startRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import type { Store } from '../src/store/store'
import { DEFAULTS, PATIENCE } from './ledger-load'
import { atMost, type Row, type Section } from './row'
import { chargeFor, seedTenants } from './seed'
import { openStore } from './store'
import { measureWorker } from './worker-memory'

const TENANTS = 10_000
const THREE_WINDOWS = '300/1h, 1500/1d, 5000/7d'

/** What a tenant takes in Redis. */
export const memory: Section = {
  name: 'memory',
  title: 'Memory, of Redis and of a worker',
  meaning:
    `MEMORY USAGE of all keys of one tenant, receipts apart (they go after an hour), among ${TENANTS.toLocaleString('en-US')} ` +
    'tenants with one accepted domain each. "All told" is what the memory of Redis grew by, divided by the tenants: ' +
    'with the indexes and the table of keys. A worker is a Haraka that is sent one transaction of each tenant, one ' +
    'after the other; it keeps what it knows of 10,000 tenants, so that beyond these its memory should not grow. ' +
    'Measured after a collection of garbage, each against the number of tenants before.',
  async run({ workerTenants }, progress) {
    progress.say('idle')
    const idle = await measure(false)
    progress.say('active')
    const active = await measure(true)
    return {
      rows: [
        rowOf('idle tenant, one domain', idle, 800),
        rowOf('active tenant, one domain, three windows', active, 3_000),
        ...(await measureWorker(workerTenants, progress)),
      ],
    }
  },
}

interface Bytes {
  readonly keys: number
  readonly allTold: number
}

async function measure(active: boolean): Promise<Bytes> {
  const redis = await startRedis()
  try {
    const store = await openStore(redis.port)
    const ledger = new Ledger(store, PATIENCE)
    const before = await usedMemory(store)
    const options = active ? { limits: THREE_WINDOWS, ledger } : {}
    const { idAt, domainsToken } = await seedTenants(store, redis.port, TENANTS, options)
    const allTold = ((await usedMemory(store)) - before) / TENANTS
    const tenant = idAt(TENANTS - 1)
    // A charge of its own: RESTORE may pack a key tighter than it grows.
    if (active) await ledger.charge(chargeFor(tenant, domainsToken), DEFAULTS)
    const keys = await bytesOfKeys(store, tenant)
    store.client.disconnect()
    return { keys, allTold }
  } finally {
    await redis.stop()
  }
}

async function usedMemory({ client }: Store): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
}

/** Whatever keys of the tenant there are but its receipts. */
async function bytesOfKeys({ client, keys }: Store, tenant: string): Promise<number> {
  const names = await client.keys(`${keys.tenant(tenant)}*`)
  const receipts = keys.receipt(tenant, '')
  let bytes = 0
  for (const name of names.filter((each) => !each.startsWith(receipts))) {
    bytes += Number(await client.call('MEMORY', 'USAGE', name, 'SAMPLES', '0'))
  }
  return bytes
}

function rowOf(what: string, { keys, allTold }: Bytes, target: number): Row {
  return {
    what,
    figure: `${keys.toLocaleString('en-US')} bytes`,
    detail: `all told ${Math.round(allTold).toLocaleString('en-US')} bytes`,
    target: atMost(target, keys, ' bytes'),
    numbers: { bytes: keys, bytesAllTold: allTold },
  }
}
