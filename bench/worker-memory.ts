import { startRedis } from '../scripts/services/redis'
import { SmtpClient } from '../scripts/services/smtp'
import { COLLECT_GARBAGE } from './garbage'
import { startLeanHaraka } from './lean-haraka'
import type { Progress } from './progress'
import { atMost, type Row } from './row'
import { seedTenants } from './seed'
import { runSession, step } from './smtp-session'
import { openStore } from './store'

const SESSIONS = 20
/** What a worker holds after many tenants, against what it holds after the number before. */
const MOST_GROWTH = 1.1

/** Names the tenant of each message, as a plugin of the operator may; tells the memory of its process after VRFY. */
const WITNESS = {
  name: 'bench_witness',
  text: `
${COLLECT_GARBAGE}
exports.hook_mail = (next, connection, [address]) => { connection.notes.bench_tenant = address.user; next() }
exports.hook_vrfy = (next) => {
  collectGarbage()
  const { rss, heapUsed } = process.memoryUsage()
  next(OK, 'rss=' + rss + ' heap=' + heapUsed)
}
`,
}

interface Held {
  readonly tenants: number
  readonly rss: number
  readonly heap: number
}

/** What a worker of Haraka holds after mail of ever more tenants. */
export async function measureWorker(
  counts: readonly number[],
  progress: Progress,
): Promise<readonly Row[]> {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  try {
    progress.say('worker: filling Redis')
    const { idAt } = await seedTenants(store, redis.port, Math.max(...counts))
    const haraka = await startLeanHaraka({
      redis,
      plugins: [WITNESS.name, 'unregistered-domain'],
      localPlugins: { [WITNESS.name]: WITNESS.text },
      settings: { attribution: { note: 'bench_tenant' } },
    })
    try {
      const held: Held[] = []
      for (const tenants of counts) {
        progress.say(`worker: mail of ${tenants.toLocaleString('en-US')} tenants`)
        await touch(haraka.port, held.at(-1)?.tenants ?? 0, tenants, idAt)
        held.push({ tenants, ...(await memoryOf(haraka.port)) })
      }
      return held.map((each, at) => rowOf(each, held[at - 1], at === counts.length - 1))
    } finally {
      await haraka.stop()
    }
  } finally {
    store.client.disconnect()
    await redis.stop()
  }
}

/** One transaction for each tenant from this number on, from one of its own domains, up to MAIL. */
async function touch(
  port: number,
  from: number,
  to: number,
  idAt: (number: number) => string,
): Promise<void> {
  let number = from
  const next = () => {
    if (number >= to) return undefined
    const id = idAt(number++)
    return [step(`MAIL FROM:<${id}@${id}.com>`, '250'), step('RSET', '250')]
  }
  const session = { port, ip: '127.0.0.1', next }
  await Promise.all(Array.from({ length: SESSIONS }, () => runSession(session)))
}

async function memoryOf(port: number): Promise<{ rss: number; heap: number }> {
  const client = await SmtpClient.open({ port })
  const { raw } = await client.command('VRFY memory')
  await client.quit()
  const [, rss, heap] = /rss=(\d+) heap=(\d+)/.exec(raw) ?? []
  return { rss: Number(rss), heap: Number(heap) }
}

function rowOf({ tenants, rss, heap }: Held, before: Held | undefined, last: boolean): Row {
  const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`
  const ratio = before ? rss / before.rss : undefined
  return {
    what: `worker after mail of ${tenants.toLocaleString('en-US')} tenants, resident`,
    figure: megabytes(rss) + (ratio === undefined ? '' : `, ${ratio.toFixed(2)} ×`),
    detail: `of which heap in use ${megabytes(heap)}`,
    ...(last && ratio !== undefined && { target: atMost(MOST_GROWTH, ratio, ' ×') }),
    numbers: { rssBytes: rss, heapBytes: heap },
  }
}
