import type { TestHaraka } from '../scripts/services/haraka'
import { startRedis } from '../scripts/services/redis'
import { waitFor } from '../scripts/services/wait-for'
import { Restrictions } from '../src/allowance/restriction'
import { confirmed, isConfirmed } from '../src/nodes/confirm'
import { CONNECTORS } from '../src/nodes/question'
import { readNodes } from '../src/nodes/read-nodes'
import { ConnectorRegistry } from '../src/registry/connector-registry'
import type { Store } from '../src/store/store'
import { timesRow, whole, type Row, type Run, type Section } from './row'
import { registerTenant } from './seed'
import { Times } from './stats'
import { openStore } from './store'
import { openToEachWorker, startWithWorkers } from './workers'

const TENANT = { id: 'contoso', domain: 'contoso.com', ip: '127.0.0.1' }
const ACT = { by: 'bench', reason: 'measured' }
const SERVERS = 2
const WORKERS = 4

/** What changes, how, and how it is undone. */
interface Subject {
  readonly subject: string
  readonly change: (store: Store) => Promise<unknown>
  readonly undo: (store: Store) => Promise<unknown>
}

const SUBJECTS: Readonly<Record<string, Subject>> = {
  'block of a tenant': {
    subject: TENANT.id,
    change: (store) => new Restrictions(store).place(TENANT.id, { ...ACT, scope: 'unregistered' }),
    undo: (store) => new Restrictions(store).lift(TENANT.id, { ...ACT, keepUsage: false }),
  },
  'block of a connector': {
    subject: CONNECTORS,
    change: (store) => new ConnectorRegistry(store).block(TENANT.id, 'mail', ACT),
    undo: (store) => new ConnectorRegistry(store).unblock(TENANT.id, 'mail', ACT),
  },
}

/** How soon all processes have said that a change is in force. */
export const confirm: Section = {
  name: 'confirm',
  title: `Confirmed blocks, by ${SERVERS * WORKERS} workers of two Harakas`,
  meaning:
    'From the call for the change until the last worker has said that it is in force, as `tenantctl block` prints it: with ' +
    'the connection on which the answers arrive, without the start of the command. Each row is of the change and its undoing.',
  async run({ quick, say }) {
    const redis = await startRedis()
    const store = await openStore(redis.port)
    const servers: TestHaraka[] = []
    try {
      await registerTenant(store, TENANT)
      while (servers.length < SERVERS) {
        servers.push(await startWithWorkers(redis, WORKERS))
      }
      // Each worker has the tenant in its cache from then on.
      for (const server of servers) {
        for (const session of await openToEachWorker(server, WORKERS)) {
          await session.mail('a@elsewhere.example')
          await session.quit()
        }
      }
      await waitFor(async () => (await readNodes(store)).nodes.length === SERVERS * WORKERS)
      const rows: Row[] = []
      for (const [what, subject] of Object.entries(SUBJECTS)) {
        rows.push(await measure(what, subject, store, { quick, say }))
      }
      return { rows }
    } finally {
      store.client.disconnect()
      await Promise.all(servers.map((server) => server.stop()))
      await redis.stop()
    }
  },
}

async function measure(
  what: string,
  { subject, change, undo }: Subject,
  store: Store,
  { quick, say }: Pick<Run, 'quick' | 'say'>,
): Promise<Row> {
  const changes = quick ? 20 : 500
  say(`${changes} changes: ${what}`)
  const times = new Times()
  let unconfirmed = 0
  // The first pair has every worker read what changes.
  for (let at = -2; at < changes; at++) {
    const { confirmation } = await confirmed(store, [subject], () =>
      at % 2 === 0 ? change(store) : undo(store),
    )
    if (at < 0) continue
    if (isConfirmed(confirmation)) times.add(confirmation.ms)
    else unconfirmed++
  }
  const row = timesRow(what, times)
  return { ...row, detail: `${row.detail}; not confirmed within a second: ${whole(unconfirmed)}` }
}
