import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { after, before, describe, it, type TestContext } from 'node:test'
import { freePort } from '../../scripts/services/port'
import { waitFor } from '../../scripts/services/wait-for'
import { parseLimits } from '../../src/mail/limits'
import { Ledger } from '../../src/allowance/ledger'
import { connect } from '../../src/store/connection'
import type { RedisSettings } from '../../src/store/settings'
import { changedNothing, isHopeless, redisFailure, troubleOf } from '../../src/store/failure'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Registries } from '../support/registries'
import { tenantctl } from '../cli/cli'
import { CertificateAuthority } from '../support/certificates'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'
import { startRedisProxy } from '../support/redis-proxy'

const SHA = 'd317e4a1cafe07b7dfb073878e340cdd590f1518'

describe('how errors are reported', () => {
  for (const [of, messages] of Object.entries({
    'Redis has no memory left and accepts no writes (OOM)': [
      `OOM command not allowed when used memory > 'maxmemory'. script: ${SHA}, on @user_script:241.`,
      `ERR Error running script (call to f_${SHA}): @user_script:9: @user_script: 9: -OOM command not allowed`,
    ],
    'Redis is a replica and accepts no writes (READONLY)': [
      `READONLY You can't write against a read only replica. script: ${SHA}, on @user_script:1.`,
      "Too many Cluster redirections. Last error: ReplyError: READONLY You can't write",
    ],
    'Redis does not allow our user a command or key that we need (NOPERM)': [
      "NOPERM this user has no permissions to run the 'evalsha' command",
      `ERR The user executing the script can't run this command or subcommand script: ${SHA}, on @user_script:2.`,
      'ERR ACL failure in script: User default has no permissions',
    ],
    'Redis is not there: nothing listens on that port (ECONNREFUSED)': [
      'connect ECONNREFUSED 127.0.0.1:6379',
      'connect ECONNREFUSED ::1:6379; connect ECONNREFUSED 127.0.0.1:6379',
    ],
    'Redis did not answer in time': ['Command timed out', 'no answer within 312 ms'],
    'no connection to Redis': [
      "Stream isn't writeable and enableOfflineQueue options is false",
      'Connection is closed.',
      "Cluster isn't ready and enableOfflineQueue options is false",
    ],
    "Redis: ERR user_script:1: Script attempted to access nonexistent global variable 'x'": [
      `ERR user_script:1: Script attempted to access nonexistent global variable 'x' script: ${SHA}, on @user_script:1.`,
    ],
  })) {
    it(of, () => {
      for (const message of messages) assert.equal(redisFailure(new Error(message)), of)
    })
  }

  it('an error of the system is known by its code, whatever its text', () => {
    const error = Object.assign(new Error(''), { code: 'EHOSTUNREACH' })
    assert.equal(redisFailure(error), 'Redis does not accept the connection')
    assert.equal(redisFailure(Object.assign(new Error('x'), { code: 'toString' })), 'Redis: x')
  })

  it('a sentinel that is away is not mistaken for Redis', () => {
    const error = 'no sentinel names the primary of mail: connect ECONNREFUSED 127.0.0.1:1'
    assert.match(redisFailure(error), /^Redis cannot be found: no sentinel names .* of mail, and/)
  })

  it('an unknown error is cut short, and never throws', () => {
    assert.equal(redisFailure(`x${'y'.repeat(10_000)}`).length, 207)
    for (const error of [undefined, null, 7, new AggregateError([])]) redisFailure(error)
  })

  it('only what would fail for ever is hopeless', () => {
    assert.equal(isHopeless(new Error('WRONGTYPE Operation against a key')), true)
    assert.equal(isHopeless(new Error('ERR user_script:1: attempt to index a nil value')), true)
    for (const message of ['NOPERM x', 'ERR max number of clients reached', 'OOM x', 'BUSY x']) {
      assert.equal(isHopeless(new Error(message)), false, message)
    }
    assert.equal(isHopeless(new Error("ERR The user can't run this command user_script:1")), false)
  })
})

describe('a charge that Redis refuses', () => {
  let redis: TestRedis
  let store: Store
  before(async () => {
    redis = await startRedis()
    store = new Store(redis.client(), new Keys('ud:'))
    await new Registries(store).tenants.add('contoso', { limits: '1/1h' }, 'test')
  })
  after(() => redis.stop())

  for (const [code, begin, end] of [
    ['OOM', ['maxmemory', '1'], ['maxmemory', '0']],
    ['NOREPLICAS', ['min-replicas-to-write', '1'], ['min-replicas-to-write', '0']],
  ] as const) {
    it(`by ${code} leaves nothing behind, whether it would count or trip`, async () => {
      await leavesNothing(code, async () => {
        await redis.client().config('SET', ...begin)
        return () => redis.client().config('SET', ...end)
      })
    })
  }

  it('by READONLY leaves nothing behind', async () => {
    await leavesNothing('READONLY', async () => {
      await redis.client().replicaof('127.0.0.1', await freePort())
      return () => redis.client().call('REPLICAOF', 'NO', 'ONE')
    })
  })

  for (const key of ['', ':usage', ':restriction', ':receipt:t.1', ':domains']) {
    it(`by WRONGTYPE of …{contoso}${key} leaves nothing behind`, async () => {
      const name = `ud:{contoso}${key}`
      const kept = `kept${name}`
      await leavesNothing('WRONGTYPE', async () => {
        const client = redis.client()
        if (await client.exists(name)) await client.rename(name, kept)
        await client.set(name, 'x')
        return async () => {
          await client.del(name)
          if (await client.exists(kept)) await client.rename(kept, name)
        }
      })
    })
  }

  /** Both at no usage, where it would be counted, and at the limit, where it would restrict. */
  async function leavesNothing(
    code: string,
    begin: () => Promise<() => Promise<unknown>>,
  ): Promise<void> {
    for (const full of [false, true]) {
      await redis.client().del('ud:{contoso}:usage')
      if (full) await charge('first.1')
      const state = await dumpOf(redis)
      const end = await begin()
      try {
        const during = await dumpOf(redis)
        const error = await charge('t.1').then(
          () => undefined,
          (thrown: unknown) => thrown as Error,
        )
        assert.match(error?.message ?? 'none', new RegExp(`^${code} `))
        assert.equal(changedNothing(error), true)
        assert.equal(store.changedNothing(error), true)
        assert.deepEqual(await dumpOf(redis), during)
      } finally {
        await end()
      }
      assert.deepEqual(await dumpOf(redis), state)
    }
  }

  async function charge(transaction: string): Promise<unknown> {
    const limits = parseLimits('1/1h')
    return new Ledger(store, 5000).charge(
      {
        ...{ tenant: 'contoso', meter: 'unregistered', transaction, ordinal: 1 },
        ...{ domainsToken: 'old', domain: 'x.example', connector: '', ip: '192.0.2.1' },
      },
      {
        limits,
        nullLimits: limits,
        mode: 'enforce',
        override: undefined,
        warnAt: [],
        forwards: 'refuse',
      },
    )
  }
})

describe('a script that Redis has lost', () => {
  it('is sent again, and both together take no longer than one command may', async (t) => {
    const redis = await redisFor(t)
    const way = await startRedisProxy(redis.port)
    t.after(() => way.stop())
    const client = connect(settingsFor(way, { commandTimeout: 1000 }), () => {})
    t.after(() => client.disconnect())
    await waitFor(() => client.status === 'ready')
    const store = new Store(client, new Keys('ud:'))
    const script = { name: 'one', source: 'return 1' }
    assert.equal(await store.run(script, [], []), 1)
    await redis.client().script('FLUSH')
    // Each of the two answers would be in time.
    way.delay(700)
    await assert.rejects(store.run(script, [], []), /no answer within|timed out/)
    way.delay(0)
    await redis.client().script('FLUSH')
    await waitFor(async () => (await store.run(script, [], [])) === 1)
  })
})

/** All that is in it. */
async function dumpOf(redis: TestRedis): Promise<Record<string, unknown>> {
  const client = redis.client()
  const all: Record<string, unknown> = {}
  for (const key of (await client.keys('*')).sort()) {
    const type = await client.type(key)
    if (type === 'hash') all[key] = await client.hgetall(key)
    else if (type === 'string') all[key] = await client.get(key)
    else all[key] = type
  }
  client.disconnect()
  return all
}

/** What stands where Redis is looked for. */
interface Place {
  readonly settings?: Partial<RedisSettings>
  readonly port: number
}

/** What is wrong from the start: what is told of it, and how to make it. */
const PLACES: Readonly<Record<string, (t: TestContext) => Promise<Place>>> = {
  'is not there: nothing listens on that port (ECONNREFUSED)': async () => ({
    port: await freePort(),
  }),
  'cannot be found: its name does not resolve': () =>
    Promise.resolve({ port: 6379, settings: { host: 'redis.invalid' } }),
  'rejects our user name and password (WRONGPASS)': async (t) => ({
    port: (await redisFor(t, ['--requirepass', 'right'])).port,
    settings: { password: 'wrong' },
  }),
  'wants a password (NOAUTH)': async (t) => redisFor(t, ['--requirepass', 'right']),
  'accepts no more connections (max number of clients reached)': async (t) => {
    const redis = await redisFor(t, ['--maxclients', '1'])
    await redis.client().ping()
    return redis
  },
  // The bytes are those of Redis 7; a real one says it to other machines only.
  'is in protected mode and serves its own machine only (DENIED)': (t) =>
    listenFor(t, (socket) =>
      socket.end(
        '-DENIED Redis is running in protected mode because protected mode is enabled\r\n',
      ),
    ),
  'does not answer there: another kind of server does': async (t) => {
    const http = createHttpServer((_request, response) => response.end('hello'))
    return listen(t, http)
  },
  // As a Redis that wants TLS does.
  'closes the connection': async (t) => {
    const authority = new CertificateAuthority('ca')
    const tls = { ...authority.issue({ names: ['localhost'] }), ca: authority.cert }
    const redis = await startRedis({ tls })
    t.after(() => redis.stop())
    return redis
  },
  'did not answer in time': (t) => listenFor(t, () => {}),
  'is not a cluster': async (t) => {
    const { port } = await redisFor(t)
    return { port, settings: { cluster: [{ host: '127.0.0.1', port }] } }
  },
}

/** Redis resets the connection after its last word, and a reset may overtake that word. */
const OVERTAKEN: Readonly<Record<string, string>> = {
  'accepts no more connections (max number of clients reached)': 'closes the connection',
}

async function redisFor(t: TestContext, args: string[] = []): Promise<TestRedis> {
  const redis = await startRedis({ args })
  t.after(() => redis.stop())
  return redis
}

function listenFor(t: TestContext, take: (socket: Socket) => void): Promise<Place> {
  return listen(t, createServer(take))
}

async function listen(t: TestContext, server: Server): Promise<Place> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port }
}

describe('where Redis should be', { concurrency: 4 }, () => {
  for (const [what, make] of Object.entries(PLACES)) {
    it(`Redis ${what}: the connection tells it, and tenantctl`, async (t) => {
      const { port, settings = {} } = await make(t)
      const messages: string[] = []
      const client = connect(settingsFor({ port }, { commandTimeout: 300, ...settings }), (each) =>
        messages.push(each),
      )
      t.after(() => client.disconnect())
      const told = () => messages.some((each) => troubleOf(each)?.what === what)
      await waitFor(told, { timeout: 30_000 }).catch((cause: unknown) => {
        throw new Error(messages.join('\n') || 'nothing was told', { cause })
      })
      if (settings.cluster) return

      const { host = '127.0.0.1', password } = settings
      const url = `redis://${password === undefined ? '' : `:${password}@`}${host}:${port}`
      const { status, out, err } = await tenantctl(['--redis', url, 'status'])
      assert.deepEqual([status, out], [1, ''])
      const [, line, ...rest] = err.split('\n')
      assert.deepEqual(rest, [''])
      const says = (words: string | undefined): boolean =>
        line!.startsWith(`tenantctl: Redis at ${host}:${port} ${words}: `)
      assert.ok(says(what) || says(OVERTAKEN[what]), err)
    })
  }
})
