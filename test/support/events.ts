import { readEntry, type Entry } from '../../src/records/event-entry'
import type { Event } from '../../src/records/event'
import type { Script } from '../../src/store/script'
import type { Client, Store } from '../../src/store/store'
import { randomToken } from '../../src/records/token'

/** Raises one event as the scripts of the plugin do. */
const RAISE: Script = {
  name: 'raise',
  source: `
-- @include store/clock
-- @include records/event
return raise_event(KEYS[1], ARGV[1], ARGV[2], cjson.decode(ARGV[3]))
`,
}

type Facts = Readonly<Record<string, unknown>>

/** Raises an event of a tenant, which then waits in the tenant's hash. @returns its id. */
export async function raise(
  store: Store,
  tenant: string,
  kind: Event['kind'],
  facts: Facts = {},
): Promise<string> {
  // An event is ended only once.
  const resolves = kind === 'resolved' ? { resolves: `evt_${randomToken()}` } : {}
  const own = 'case' in FACTS[kind] ? { case: `${tenant}:1` } : {}
  const all = { ...FACTS[kind], ...resolves, ...own, ...facts }
  const args = [randomToken(), kind, JSON.stringify(all)]
  return (await store.run(RAISE, [store.keys.tenant(tenant)], args)) as string
}

const WINDOW = { window: 3_600_000, limit: 300, used: 150 }
const SENDER = { domain: 'other.example', connector: 'contoso/mx', ip: '192.0.2.1' }

/** An example of each kind. */
const FACTS: Readonly<Record<Event['kind'], Facts>> = {
  allowance: { percent: 50, ...WINDOW, ...SENDER },
  restricted: {
    ...{ scope: 'unregistered', by: 'automatic', reason: 'allowance of 300/1h exceeded' },
    ...{
      case: 'contoso:1',
      trigger: { ...WINDOW, ...SENDER },
      windows: [WINDOW],
      transaction: 'F.1',
    },
  },
  lifted: { by: 'ann', reason: 'all clear', case: 'contoso:1', resolves: 'evt_0' },
  unusual: { rule: 'domains', words: '40 domains in an hour', facts: { domains: 40 } },
  unattributed: { user: 'ann ', ip: '192.0.2.1', messages: 3 },
  resolved: { resolves: 'evt_0', of: 'allowance', percent: 50, window: 3_600_000 },
  unreadable: { window: 3_600_000, until: 1_764_000_000_000 },
  went_back: {
    ...{ from: 1_764_000_000_000, to: 1_764_000_060_000 },
    putBack: { count: 0, subjects: [] },
    lost: { count: 1, subjects: ['contoso'] },
    missing: { count: 0, subjects: [] },
  },
  many_restricted: {
    ...{ from: 1_764_000_000_000, tenants: ['contoso'] },
    changed: ['tenant changed to limits 1/1h at 08:58 by bob (1 of 1)'],
  },
  redis_trouble: {
    ...{ trouble: 'away', host: 'mx1', redis: '127.0.0.1:6379', from: 1_764_000_000_000 },
    reason: 'no connection to Redis',
  },
  host_missing: { host: 'mx3', processes: 4, since: 1_764_000_000_000 },
  paused: {
    ...{ occasion: 'begun', by: 'ann', reason: 'limits', everything: false },
    ...{ since: 1_764_000_000_000, until: 1_764_000_000_000 + 7_200_000 },
  },
  test: { by: 'ann' },
}

/** The default fields of an event of this kind. */
export function factsOf(kind: Event['kind']): Facts {
  return FACTS[kind]
}

/** The entries of the stream, the oldest first. */
export async function entries({
  client,
  keys,
}: Store): Promise<(Entry & { tenant: string; kind: string })[]> {
  const raw = await client.xrange(keys.events, '-', '+')
  return raw.map((each) => {
    const entry = readEntry(each)
    if (!entry) throw new Error(`no entry: ${JSON.stringify(each)}`)
    const { tenant, kind } = entry.alert
    return { ...entry, tenant, kind }
  })
}

/** Ids in the stream, the oldest first. */
export async function published(store: Store): Promise<string[]> {
  return (await entries(store)).map(({ alert }) => alert.id)
}

/** Whether events of the tenant wait. */
export async function waiting(client: Client, tenantKey: string): Promise<string[]> {
  return ((await client.hget(tenantKey, 'events')) ?? '').split('\n').filter(Boolean)
}
