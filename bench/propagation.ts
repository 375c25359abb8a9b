import { startHaraka, type TestHaraka } from '../scripts/services/haraka'
import { startRedis, type TestRedis } from '../scripts/services/redis'
import { SmtpClient } from '../scripts/services/smtp'
import { waitFor } from '../scripts/services/wait-for'
import { Restrictions } from '../src/allowance/restriction'
import { Registries } from '../test/support/registries'
import type { Plot } from './plot'
import type { Progress } from './progress'
import { below, type Row, type Section } from './row'
import { quantile } from './stats'
import { openStore } from './store'

const BY = 'bench'
const TENANT = 'contoso'
const SERVERS = 2
const WORKERS = 2
/** Between two looks at a worker, in ms. */
const POLL = 1

/** Lets a client see which worker it speaks to. */
const TELL_PID = {
  name: 'bench_pid',
  text: 'exports.hook_capabilities = (next, connection) => { connection.capabilities.push(`XPID ${process.pid}`); next() }\n',
}

const ACTIONS = ['block', 'unblock'] as const
type Action = (typeof ACTIONS)[number]

/** How soon a restriction counts everywhere. */
export const propagation: Section = {
  name: 'propagation',
  title: 'Block and unblock, to four workers on two Harakas',
  meaning:
    'From the call that places or lifts a restriction until an open session to the last of the four workers gets the ' +
    `new answer to MAIL. Each worker is asked every ${POLL} ms over a session of its own; the time of that answer is in it.`,
  async run({ propagation: { changes } }, progress) {
    const redis = await startRedis()
    const servers: TestHaraka[] = []
    try {
      const store = await openStore(redis.port)
      await register(new Registries(store))
      servers.push(...(await Promise.all(Array.from({ length: SERVERS }, () => start(redis)))))
      const sessions = (await Promise.all(servers.map(openToEachWorker))).flat()
      const restrictions = new Restrictions(store)
      const times = await measure(restrictions, sessions, changes, progress)
      await Promise.all(sessions.map((session) => session.quit()))
      store.client.disconnect()
      return {
        rows: ACTIONS.flatMap((action) => rowsOf(action, times[action])),
        plots: [plotOf(times)],
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()))
      await redis.stop()
    }
  },
}

async function register(registry: Registries): Promise<void> {
  await registry.tenants.add(TENANT, {}, BY)
  const identities = { ip: ['127.0.0.0/8'], cert: [], certSha256: [], auth: [] }
  await registry.connectors.add(TENANT, 'mail', identities, BY)
}

function start(redis: TestRedis): Promise<TestHaraka> {
  return startHaraka({
    redis,
    nodes: WORKERS,
    plugins: ['relay', TELL_PID.name, 'unregistered-domain'],
    localPlugins: { [TELL_PID.name]: TELL_PID.text },
  })
}

/** One session to each worker. The cluster deals connections out in turn. */
async function openToEachWorker(server: TestHaraka): Promise<SmtpClient[]> {
  const sessions = new Map<string, SmtpClient>()
  await waitFor(async () => {
    const client = await server.connect()
    const pid = client.capabilities.find((capability) => capability.startsWith('XPID')) ?? ''
    if (sessions.has(pid)) await client.quit()
    else sessions.set(pid, client)
    return sessions.size === WORKERS
  })
  return [...sessions.values()]
}

async function measure(
  restrictions: Restrictions,
  sessions: readonly SmtpClient[],
  changes: number,
  progress: Progress,
): Promise<Record<Action, number[]>> {
  const times: Record<Action, number[]> = { block: [], unblock: [] }
  // The first pair only makes every worker know the tenant.
  for (let change = -2; change < changes; change++) {
    progress.say(`change ${Math.max(0, change + 1)} of ${changes}`)
    const action = change % 2 === 0 ? 'block' : 'unblock'
    const begin = performance.now()
    const done =
      action === 'block'
        ? restrictions.place(TENANT, { scope: 'unregistered', by: BY, reason: 'measured' })
        : restrictions.lift(TENANT, { by: BY, reason: 'measured', keepUsage: false })
    const answered = sessions.map(async (session) => {
      await untilRefused(session, action === 'block')
      return performance.now() - begin
    })
    await done
    const last = Math.max(...(await Promise.all(answered)))
    if (change >= 0) times[action].push(last)
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

function rowsOf(action: Action, times: readonly number[]): Row[] {
  const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)]
  return [
    { what: `${action}, p50`, figure: `${p50.toFixed(1)} ms`, numbers: { ms: p50 } },
    {
      what: `${action}, p99`,
      figure: `${p99.toFixed(1)} ms`,
      detail: `highest of ${times.length} ${Math.max(...times).toFixed(1)} ms`,
      target: below(50, p99, ' ms'),
      numbers: { ms: p99, all: times },
    },
  ]
}

function plotOf(times: Readonly<Record<Action, readonly number[]>>): Plot {
  return {
    kind: 'distribution',
    name: 'propagation',
    title: 'How soon a change of a restriction counts everywhere',
    measure: `Share of changes that had reached all ${SERVERS * WORKERS} workers of ${SERVERS} Harakas, by milliseconds`,
    series: ACTIONS.map((action) => ({ label: action, samples: times[action] })),
  }
}
