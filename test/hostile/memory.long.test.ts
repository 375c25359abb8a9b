// What anyone on the network can make us keep, tested at our hooks, which is many times faster than over SMTP.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { Connection, Plugin, ResultStore, HarakaTransaction } from '../../plugins/kit/haraka'
import { RedisTroubles } from '../../plugins/kit/redis-troubles'
import { Hooks } from '../../plugins/session/hooks'
import { waitFor } from '../../scripts/services/wait-for'
import { parseEnvelope, type HarakaAddress } from '../../src/names/envelope'
import { defaultsOf } from '../../src/allowance/defaults'
import { Engine } from '../../src/process/engine'
import { REPLIES } from '../../src/decision/reply'
import {
  MOST_ADDRESSES,
  MOST_CONNECTOR_ROWS,
  MOST_DOMAINS,
  MOST_SAMPLED,
  MOST_SAMPLES,
} from '../../src/reporting/bounds'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Registries } from '../support/registries'
import { settingsFor } from '../support/connection'
import { entriesOf } from '../support/contents'
import { heapInUse } from '../support/heap'
import { configWith } from '../support/judgement'
import { startRedis, type TestRedis } from '../support/redis'

const MB = 2 ** 20
const FAR = [parseEnvelope('someone@far.example')] as const
const RECIPIENT = Object.assign(FAR[0], { format: () => '<someone@far.example>' })
const SESSIONS = 64

let redis: TestRedis
let store: Store
let engine: Engine
let lines: number
let hooks: Hooks
let config = configWith()

const log = (): void => void lines++
const PLUGIN = {
  name: 'unregistered-domain',
  haraka_require: () => ({ LOGINFO: 6, would_log: () => true, format: 'JSON', formats: {} }),
  ...{ lognotice: log, logerror: log, loginfo: () => {} },
} as unknown as Plugin
/** A results store that keeps nothing, since Haraka drops it with the transaction. */
const RESULTS: ResultStore = {
  add: () => {},
  get: () => undefined,
  redis_publish: () => {},
}

before(async () => {
  redis = await startRedis()
  store = new Store(redis.client(), new Keys('ud:'))
})
after(() => redis.stop())

beforeEach(async () => {
  await store.client.flushall()
  const registry = new Registries(store)
  const limits = '1000000000/1h, 1000000000/1d'
  await registry.tenants.add('contoso', { limits, nullLimits: limits }, 'test')
  const domain = { domain: 'contoso.example', subdomains: true, shared: false }
  await registry.domains.add('contoso', [domain], 'test')
  await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1/32'] }, 'test')
  const nothing = (): void => {}
  engine = new Engine(settingsFor(redis, { commandTimeout: 20_000 }), {
    ...{ onReady: nothing, onRestriction: nothing, onError: nothing },
    ...{ onRedisError: nothing, onDrop: nothing },
  })
  engine.follow()
  await waitFor(() => engine.directory.connectors)
  await engine.directory.load('contoso')
  config = configWith()
  lines = 0
  hooks = new Hooks(
    PLUGIN,
    () => config,
    () => engine,
    new RedisTroubles(PLUGIN, 'redis:6379'),
  )
})
afterEach(() => {
  engine.directory.stop()
  engine.store.client.disconnect()
})

/** A session that relays, from this address. */
function sessionFrom(ip: string, notes: Record<string, unknown> = {}): Connection {
  return {
    ...{
      uuid: ip,
      remote: { ip },
      hello: {},
      notes,
      results: RESULTS,
      transaction: null,
      tls: {},
      client: {},
    },
    relaying: true,
    ...{ loginfo: log, lognotice: log, logwarn: log, logerror: log, logcrit: log },
  }
}

/** A log that keeps nothing. */
const NO_MESSAGE = { message_stream: { pipe() {}, unpipe() {} }, data_bytes: 0 }

/** The answer of our hooks at RCPT, or at the count of the recipient; then the transaction is reset. */
async function transact(connection: Connection, domain: string, uuid: string, count: boolean) {
  const transaction: HarakaTransaction = {
    ...{ uuid, mail_from: senderAt(domain), rcpt_to: [RECIPIENT], notes: {}, results: RESULTS },
    ...NO_MESSAGE,
  }
  ;(connection as { transaction: HarakaTransaction | null }).transaction = transaction
  let answer = await (hooks.mail(connection) ?? hooks.rcpt(connection, FAR))
  if (count) answer = await hooks.rcptOk(connection, FAR[0])
  hooks.end(connection)
  ;(connection as { transaction: HarakaTransaction | null }).transaction = null
  return answer
}

/** Runs `each` for 0 to `count` - 1, one at a time in each session. */
async function times(count: number, each: (at: number, session: number) => Promise<unknown>) {
  let next = 0
  const run = async (session: number): Promise<void> => {
    while (next < count) await each(next++, session)
  }
  await Promise.all(Array.from({ length: SESSIONS }, (_, session) => run(session)))
}

/** The growth of the heap after the first thousands, which fill the bounded caches. */
async function growth(
  first: number,
  all: number,
  run: (from: number, to: number) => Promise<void>,
) {
  await run(0, first)
  const before = await heapInUse()
  await run(first, all)
  return (await heapInUse()) - before
}

const addressOf = (at: number): string => `10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`

async function usedMemory(): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await store.client.info('memory'))?.[1])
}

async function receipts(): Promise<string[]> {
  return store.client.keys('ud:{contoso}:receipt:*')
}

describe('memory', () => {
  it('does not grow with 300,000 sender domains', async () => {
    const sessions = Array.from({ length: SESSIONS }, () => sessionFrom('192.0.2.1'))
    const grown = await growth(50_000, 300_000, async (from, to) => {
      for (let at = from; at < to; at++) {
        const connection = sessions[at % SESSIONS]!
        await transact(connection, `d${at}.example`, `D.${at}`, false)
      }
    })
    assert.ok(grown < 2 * MB, `${grown} bytes`)
    assert.deepEqual(await receipts(), [])
  })

  it('grows by receipts only where recipients from 20,000 domains are counted', async (t) => {
    const sessions = Array.from({ length: SESSIONS }, () => sessionFrom('192.0.2.1'))
    const run = (from: number, to: number) =>
      times(to - from, async (at, session) => {
        const connection = sessions[session]!
        const [domain, uuid] = [`d${from + at}.example`, uuidOf(from + at)]
        const transaction = taken(uuid, domain)
        ;(connection as { transaction: HarakaTransaction | null }).transaction = transaction
        assert.equal(await (hooks.mail(connection) ?? hooks.rcpt(connection, FAR)), undefined)
        assert.equal(await hooks.rcptOk(connection, FAR[0]), undefined)
        hooks.end(connection)
      })
    await transact(sessions[0]!, 'first.example', 'FIRST.1', true)
    const before = await usedMemory()
    // By then the cache of owners is full.
    const grown = await growth(12_000, 20_000, run)
    assert.ok(grown < 2 * MB, `${grown} bytes`)
    const names = await receipts()
    assert.ok(names.length >= 20_000)
    const each = ((await usedMemory()) - before) / 20_000
    t.diagnostic(`${Math.round(each)} bytes a receipt`)
    assert.ok(each < 500, `${each} bytes a receipt`)
    for (const name of names.slice(0, 100)) {
      const left = await store.client.pttl(name)
      assert.ok(left > 0 && left <= 3_600_000, `${name}: ${left}`)
    }
    while (names.length > 0) await store.client.unlink(...names.splice(0, 1000))
    const left = (await usedMemory()) - before
    assert.ok(left < 3 * MB, `${left} bytes besides receipts`)
    await assertKeysOfOneTenant()
  })

  it('keeps receipts of refunds for minutes only: a session may go on like that without end', async () => {
    const connection = sessionFrom('192.0.2.1')
    await transact(connection, 'lure.example', 'R.1', true)
    await waitFor(async () => (await used()) === 0)
    const left = await store.client.pttl(store.keys.receipt('contoso', 'R.1'))
    assert.ok(left > 60_000 && left <= 300_000, String(left))
  })

  it('does not grow with 50,000 addresses without a tenant, whose refusals are logged in bounded lines', async () => {
    config = configWith({ attribution: { unknown: 'deny' } })
    const grown = await growth(10_000, 50_000, async (from, to) => {
      for (let at = from; at < to; at++) {
        const connection = sessionFrom(addressOf(at))
        hooks.connect(connection)
        const answer = await transact(connection, 'lure.example', `A.${at}`, false)
        assert.equal(answer, REPLIES.noTenant)
      }
    })
    assert.ok(grown < 2 * MB, `${grown} bytes`)
    assert.ok(lines <= 1001, `${lines} lines`)
  })

  it('does not grow with AUTH users of more and more domains', async () => {
    const run = (from: number, to: number) =>
      times(to - from, async (at) => {
        const user = `user@${'x'.repeat(50)}${from + at}.example`
        const connection = sessionFrom(addressOf(from + at), { auth_user: user })
        assert.equal(await transact(connection, 'lure.example', `U.${from + at}`, false), undefined)
      })
    const grown = await growth(15_000, 30_000, run)
    assert.ok(grown < 2 * MB, `${grown} bytes`)
  })

  it('does not grow with domains that change owners', async () => {
    const connection = sessionFrom('10.1.1.1', { auth_user: 'user@lure.example' })
    const grown = await growth(100_000, 500_000, async (from, to) => {
      for (let at = from; at < to; at += 1000) {
        const names = Array.from({ length: 1000 }, (_, name) => `d${at + name}.example`)
        const message = JSON.stringify({ owners: true, names })
        await store.client.publish(store.keys.changes, message)
      }
      await transact(connection, 'lure.example', `O.${from}`, false)
    })
    assert.ok(grown < 2 * MB, `${grown} bytes`)
  })

  it('keeps at most 10,000 recipients while Redis is away', async () => {
    const dead = await startRedis()
    await dead.stop()
    let dropped = 0
    const nothing = (): void => {}
    const away = new Engine(settingsFor(dead), {
      ...{ onReady: nothing, onRestriction: nothing, onError: nothing, onRedisError: nothing },
      onDrop: () => dropped++,
    })
    try {
      for (let at = 0; at < 25_000; at++) away.refund('contoso', `F.${at}`, [1])
      await waitFor(() => dropped >= 15_000)
      const before = await heapInUse()
      for (let at = 0; at < 50_000; at++) away.refund('contoso', `G.${at}`, [1])
      await waitFor(() => dropped >= 65_000)
      assert.equal(dropped, 65_000)
      const grown = (await heapInUse()) - before
      assert.ok(grown < 2 * MB, `${grown} bytes`)
    } finally {
      away.directory.stop()
      away.store.client.disconnect()
    }
  })
})

/** Keys that do not depend on mail, and never expire. */
const LASTING = [
  ...['{@tenants}', '{@tenants}:epoch', '{contoso}', '{contoso}:domains', '{contoso}:usage'],
  ...['{@owners}:names', '{@owners}:index', '{@owners}:version', '{@reported}'],
  ...['{@connectors}', '{@connectors}:identities', '{@connectors}:token'],
]
/** Keys that expire; `N`: an hour or a day. */
const EXPIRING = [
  ...['{contoso}:audit', '{@tenants}:audit', '{@connectors}:audit'],
  ...['{contoso}:flushes', '{contoso}:seen', '{contoso}:samples:dN'],
  ...['{contoso}:report:hN', '{contoso}:report:hN:others', '{contoso}:report:hN:minutes'],
  ...['{contoso}:report:dN', '{contoso}:report:dN:others', '{@reported}:mail:dN'],
]

/** Rows of a day besides the sources: one for the rest, and one of each class in each hour. */
const TOTALS = 1 + 3 * 24

/** Entries of one tenant and day in the index for searches: a domain has one from each of its ends. */
const MOST_FOUND = 2 * MOST_DOMAINS + MOST_ADDRESSES + MOST_SAMPLED * MOST_SAMPLES

/** Checks that only these keys exist, each of a bounded size. */
async function assertKeysOfOneTenant(): Promise<void> {
  const { client, keys } = store
  await engine.flushReports('contoso')
  // Counters, of a fixed number, are written by a timer.
  const names = (await client.keys('*')).filter((name) => !name.includes('{@totals}')).sort()
  const shapeOf = (name: string): string =>
    name.slice(keys.prefix.length).replace(/(:[hd])\d+/, '$1N')
  const shapes = [...new Set(names.map(shapeOf))]
  assert.deepEqual(shapes.sort(), [...LASTING, ...EXPIRING].sort())
  for (const name of names) {
    const shape = shapeOf(name)
    // The hour may have changed meanwhile.
    const alike = names.filter((each) => shapeOf(each) === shape).length
    assert.ok(alike <= (shape.includes('N') ? 2 : 1), names.join(' '))
    const type = await client.type(name)
    if (type === 'hash') {
      const rows = await client.hlen(name)
      assert.ok(rows <= MOST_CONNECTOR_ROWS + TOTALS, `${name}: ${rows} rows`)
    } else if (type === 'string') {
      const octets = await client.strlen(name)
      assert.ok(octets <= HYPERLOGLOG, `${name}: ${octets} octets`)
    } else {
      const most = shape.includes(':mail:') ? MOST_FOUND : 2
      assert.ok((await entriesOf(client, name)).length <= most, name)
    }
    const left = await client.pttl(name)
    if (EXPIRING.includes(shape)) assert.ok(left > 0 && left <= YEAR, `${name}: ${left}`)
    else assert.equal(left, -1, name)
  }
}

const YEAR = 365 * 86_400_000
/** The most octets of one. */
const HYPERLOGLOG = 12_304

/** As long as in Haraka. */
function uuidOf(at: number): string {
  return `5E5B5E57-3C2D-4B4A-9E0B-${String(at).padStart(12, '0')}.1`
}

/** Parsed once, since Haraka's parser is slower than all the rest. */
function senderAt(domain: string): HarakaAddress {
  return {
    ...{ address: `someone@${domain}`, host: domain, original_host: domain },
    isNull: () => false,
  }
}

/** A transaction whose message Haraka has accepted. */
function taken(uuid: string, domain: string): HarakaTransaction {
  return {
    ...{ uuid, mail_from: senderAt(domain), rcpt_to: [RECIPIENT] },
    ...{ notes: {}, results: RESULTS, data_post_start: 1, msg_status: 'accepted' },
    ...NO_MESSAGE,
  }
}

async function used(): Promise<number | undefined> {
  const usage = await engine.ledger.usage('contoso', defaultsOf(config))
  return usage?.unregistered[0]?.used
}
