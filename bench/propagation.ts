import { type TestHaraka } from '../scripts/services/haraka'
import { startRedis } from '../scripts/services/redis'
import type { SmtpClient } from '../scripts/services/smtp'
import { waitFor } from '../scripts/services/wait-for'
import { Restrictions } from '../src/allowance/restriction'
import { lines } from './chart'
import { timesRow, type Run, type Section } from './row'
import { registerTenant } from './seed'
import { Times } from './stats'
import { openToEachWorker, startWithWorkers } from './workers'
import { openStore } from './store'

const TENANT = { id: 'contoso', domain: 'contoso.com', ip: '127.0.0.1' }
const BY = { by: 'bench', reason: 'measured' }
const SERVERS = 2
const WORKERS = 2
/** The pause between two requests to a worker, in ms. */
const POLL = 1
/** Target, in ms. */
const MOST = 50

type TimesByAction = Readonly<Record<'block' | 'unblock', Times>>

/** How soon a restriction is in effect everywhere. */
export const propagation: Section = {
  name: 'propagation',
  title: 'Block and unblock, to four workers on two Harakas',
  meaning:
    'From the call that places or lifts a restriction until an open session to the last of the four workers gets the ' +
    `new answer to MAIL. Each worker is asked every ${POLL} ms over a session of its own; the time of that answer counts.`,
  async run({ quick, say }) {
    const redis = await startRedis()
    const store = await openStore(redis.port)
    const servers: TestHaraka[] = []
    try {
      await registerTenant(store, TENANT)
      while (servers.length < SERVERS) {
        servers.push(await startWithWorkers(redis, WORKERS))
      }
      const sessions = (
        await Promise.all(servers.map((server) => openToEachWorker(server, WORKERS)))
      ).flat()
      const times = await measure(new Restrictions(store), sessions, quick ? 10 : 100, say)
      await Promise.all(sessions.map((session) => session.quit()))
      return {
        rows: Object.entries(times).map(([action, each]) => timesRow(action, each, MOST)),
        pictures: [picture(times)],
      }
    } finally {
      store.client.disconnect()
      await Promise.all(servers.map((server) => server.stop()))
      await redis.stop()
    }
  },
}

async function measure(
  restrictions: Restrictions,
  sessions: readonly SmtpClient[],
  changes: number,
  say: Run['say'],
): Promise<TimesByAction> {
  const times: TimesByAction = { block: new Times(), unblock: new Times() }
  const time = async (change: () => Promise<unknown>, refused: boolean): Promise<number> => {
    const begin = performance.now()
    const answered = sessions.map((session) => untilRefused(session, refused))
    await Promise.all([change(), ...answered])
    return performance.now() - begin
  }
  say(`${changes} changes`)
  // After the first pair every worker has the tenant in its cache.
  for (let change = 0; change <= changes; change++) {
    const place = () => restrictions.place(TENANT.id, { ...BY, scope: 'unregistered' })
    const lift = () => restrictions.lift(TENANT.id, { ...BY, keepUsage: false })
    const [block, unblock] = [await time(place, true), await time(lift, false)]
    if (change === 0) continue
    times.block.add(block)
    times.unblock.add(unblock)
  }
  return times
}

function untilRefused(session: SmtpClient, refused: boolean): Promise<unknown> {
  return waitFor(
    async () => {
      const reply = await session.mail('a@elsewhere.example')
      if (reply.positive) await session.rset()
      return reply.positive !== refused
    },
    { interval: POLL, what: refused ? 'a refusal' : 'no refusal' },
  )
}

function picture(times: TimesByAction) {
  const title = 'How soon a change of a restriction is in effect everywhere'
  const workers = `${SERVERS * WORKERS} workers of ${SERVERS} Harakas`
  const shares = Array.from({ length: 100 }, (_, at) => (at + 1) / 100)
  return lines(
    { name: 'propagation', title, measure: `% of changes that had reached all ${workers}` },
    'ms',
    Object.entries(times).map(([label, each]) => ({
      label,
      points: shares.map((share) => [each.quantile(share), share * 100] as const),
    })),
  )
}
