// Every way in which a running Redis may refuse: the replies to mail, the log, tenantctl, and exact counts
// afterwards.
import assert from 'node:assert/strict'
import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { Redis } from 'ioredis'
import type { Ini } from '../../scripts/services/ini'
import { freePort } from '../../scripts/services/port'
import { tenantctl } from '../cli/cli'
import {
  scratchDir,
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type TestHaraka,
  type TestRedis,
  type TestTenant,
} from '../support'
import { startRedisProxy } from '../support/redis-proxy'
import { REPLY } from '../support/replies'

/** A sender domain that belongs to no tenant. */
const UNREGISTERED = 'someone@elsewhere.example'
const RECIPIENT = 'rcpt@far.example'
const RECIPIENTS = 200
/** The most error lines of one trouble in one process, instead of one a recipient. */
const FEW_LINES = 6
/** ms; long enough for a machine under load, short enough to wait for. */
const COMMAND_TIMEOUT = 1000
const PATIENCE = { timeout: 60_000, interval: 100 }

/** The operator's connection to Redis while new ones are refused. */
const ADMIN = { username: 'operator', password: 'of-redis' }
/** What Redis saves into, and where. */
const dump = path.join(scratchDir('dump'), 'here')

interface Condition {
  /** `other`: its commands may stay unanswered. */
  readonly begin: (admin: Redis, other: Redis) => Promise<unknown>
  readonly end: (admin: Redis) => Promise<unknown>
  /** The description of the trouble in the log, `tenantctl` and the results. */
  readonly says: string
  /** A command that meets the trouble, where one that writes meets another first. */
  readonly command?: string
  /** The message of `tenantctl`, where it has more detail. */
  readonly tenantctlSays?: string
  /** Redis closes connections, so sessions may also have none. */
  readonly closes?: true
}

const CONDITIONS: Readonly<Record<string, Condition>> = {
  'OOM: no memory left, noeviction': {
    begin: (admin) => admin.config('SET', 'maxmemory', 1),
    end: (admin) => admin.config('SET', 'maxmemory', 0),
    says: 'has no memory left and accepts no writes (OOM)',
  },
  'READONLY: a replica': {
    begin: async (admin) => admin.replicaof('127.0.0.1', await freePort()),
    end: (admin) => admin.call('REPLICAOF', 'NO', 'ONE'),
    says: 'is a replica and accepts no writes (READONLY)',
  },
  'MASTERDOWN: a replica without its primary that shows nothing old': {
    begin: async (admin) => {
      await admin.config('SET', 'replica-serve-stale-data', 'no')
      await admin.replicaof('127.0.0.1', await freePort())
    },
    end: async (admin) => {
      await admin.call('REPLICAOF', 'NO', 'ONE')
      await admin.config('SET', 'replica-serve-stale-data', 'yes')
    },
    says: 'is a replica that has lost its primary (MASTERDOWN)',
    command: 'tenant list',
  },
  'NOREPLICAS: too few of them': {
    begin: (admin) => admin.config('SET', 'min-replicas-to-write', 1),
    end: (admin) => admin.config('SET', 'min-replicas-to-write', 0),
    says: 'has fewer replicas than min-replicas-to-write demands (NOREPLICAS)',
  },
  'MISCONF: it cannot save': {
    begin: async (admin) => {
      await admin.config('SET', 'save', '3600 1000000')
      rmSync(dump, { recursive: true })
      await admin.bgsave()
      await waitFor(async () => /last_bgsave_status:err/.test(await admin.info('persistence')))
    },
    end: async (admin) => {
      await admin.config('SET', 'save', '')
      mkdirSync(dump)
      await admin.config('SET', 'dir', dump)
    },
    says: 'cannot save to its disk and accepts no writes (MISCONF)',
  },
  'NOPERM: no right to a command of a script': {
    begin: (admin) => admin.call('ACL', 'SETUSER', 'default', '-hget', '-hset'),
    end: (admin) => admin.call('ACL', 'SETUSER', 'default', '+@all'),
    says: 'does not allow our user a command or key that we need (NOPERM)',
    tenantctlSays: ': the Redis user default may not do this (',
  },
  'NOAUTH: a password, since now': {
    begin: async (admin) => {
      await admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>secret')
      await admin.call('CLIENT', 'KILL', 'USER', 'default')
    },
    end: (admin) => admin.call('ACL', 'SETUSER', 'default', 'nopass'),
    says: 'wants a password (NOAUTH)',
    closes: true,
  },
  'BUSY: an endless script of another client': {
    begin: async (admin, other) => {
      await admin.config('SET', 'busy-reply-threshold', 50)
      other.eval('while true do end', 0).catch(() => {})
      await waitFor(() => admin.ping().then(() => false, isBusy))
    },
    end: (admin) => admin.script('KILL'),
    says: 'runs a script that does not end (BUSY)',
  },
  'LOADING: it reads its data from disk': {
    begin: async (admin, other) => {
      // For minutes, but it answers between two keys.
      await admin.call('DEBUG', 'POPULATE', 20_000, 'filler', 1100)
      await admin.config('SET', 'key-load-delay', 5000)
      other.call('DEBUG', 'RELOAD').catch(() => {})
      await waitFor(async () => /^loading:1/m.test(await admin.info('persistence')))
    },
    end: (admin) => admin.config('SET', 'key-load-delay', 0),
    says: 'is still reading its data from disk (LOADING)',
  },
}

function isBusy(error: Error): boolean {
  return error.message.startsWith('BUSY')
}

describe('while Redis refuses with', () => {
  let redis: TestRedis
  let admin: Redis
  let relay: TestRelay
  let accepting: TestHaraka
  let contoso: TestTenant
  let watched: TestTenant
  let restricted: TestTenant
  before(async () => {
    mkdirSync(dump)
    redis = await startRedis({
      args: [
        ...['--dir', dump, '--enable-protected-configs', 'yes', '--enable-debug-command', 'yes'],
        ...['--loading-process-events-interval-bytes', '1024', '--rdbcompression', 'no'],
        ...['--user', 'operator', 'on', '>of-redis', '~*', '&*', '+@all'],
      ],
    })
    admin = redis.client(ADMIN)
    const settings = { redis: { command_timeout: COMMAND_TIMEOUT } }
    const hosts = await Promise.all([
      startHaraka({ redis, settings }),
      startHaraka({ redis, settings: { ...settings, outage: { unregistered: 'accept' } } }),
    ])
    accepting = hosts[1]
    relay = new TestRelay(redis, hosts)
    contoso = await relay.tenant('contoso')
    watched = await relay.tenant('watched', { mode: 'monitor' })
    restricted = await relay.tenant('restricted')
    const by = { reason: 'abuse', by: 'test' }
    await relay.restrictions.place('restricted', { scope: 'unregistered', ...by })
    for (const { log } of hosts) await waitFor(() => log !== '')
    await waitFor(() => hosts.every(({ log }) => /\bblocked tenant=restricted/.test(log)))
  })
  after(() => relay.stop())

  for (const [name, condition] of Object.entries(CONDITIONS)) {
    it(name, async (t) => {
      const accepted = await contoso.used()
      const from = relay.hosts.map(({ log }) => log.length)
      await condition.begin(admin, redis.client(ADMIN))
      let ended = false
      try {
        await seen(condition)
        const command = await tenantctl([
          ...['--redis', redis.url],
          ...(condition.command ?? 'tenant add late').split(' '),
        ])
        assert.equal(command.status, 1)
        assert.ok(
          command.err.includes(
            `tenantctl: Redis at 127.0.0.1:${redis.port}${condition.tenantctlSays ?? ` ${condition.says}: `}`,
          ),
          command.err,
        )
        assert.equal(command.err.trim().split('\n').length, 2)

        relay.hosts.forEach((host, at) => {
          const lines = errorLines(host, from[at]!).filter(isFirst)
          const line = `Redis at 127.0.0.1:${redis.port} ${condition.says}; until that is mended, unregistered mail cannot be counted: `
          const told = lines.filter((each) => each.includes(line))
          assert.equal(told.length, 1, lines.join('\n'))
          assert.ok(lines.length <= FEW_LINES, lines.join('\n'))
          t.diagnostic(`${lines.length} error lines: ${lines.map(withoutHead).join(' | ')}`)
        })
        await condition.end(admin)
        ended = true
      } finally {
        if (!ended) await condition.end(admin)
      }
      const counted = await recover(from)
      await waitFor(async () => (await contoso.used()) === accepted + counted, {
        what: `${accepted} + ${counted} are counted`,
      })
      assert.equal(await contoso.restriction(), undefined)
      relay.hosts.forEach(unharmed)
    })
  }

  /** The replies to mail meanwhile. */
  async function seen({ says, closes }: Condition): Promise<void> {
    const client = await contoso.connect()
    assert.equal(client.greeting.code, 220)
    await client.quit()
    for (const on of relay.hosts) {
      await delivers(contoso, 'a@contoso.example', on)
      await delivers(restricted, 'a@restricted.example', on)
      assert.equal(await reply(restricted, UNREGISTERED, on), REPLY.blocked)
      // Monitor refuses nothing.
      await delivers(watched, UNREGISTERED, on)
    }
    assert.equal(await reply(contoso, '', relay.haraka), REPLY.undecidable)
    for (const on of relay.hosts) {
      const session = await contoso.connect({ on })
      assert.equal((await session.mail(UNREGISTERED)).code, 250)
      const replies = new Set<string>()
      const offer = async (at: number): Promise<void> => {
        const { code, raw } = await session.rcpt(`r${at}@far.example`)
        replies.add(code === 250 ? '250' : raw)
      }
      let offered = 0
      while (offered < RECIPIENTS) await offer(offered++)
      const verdict = on === accepting ? 'pass' : 'tempfail'
      const reason = closes ? 'no connection to Redis' : `Redis ${says}`
      const isTold = (): boolean =>
        errorLines(on, 0).some(
          (line) =>
            line.includes('undecided') &&
            line.includes(reason) &&
            line.includes(`verdict=${verdict}`),
        )
      // Where it connects anew, recipients meet no connection for a while. The log of another process is read later.
      await waitFor(async () => {
        if (!isTold()) await offer(offered++)
        return isTold()
      })
      assert.deepEqual([...replies], [on === accepting ? '250' : REPLY.undecidable])
      await session.rset()
      await session.quit()
    }
  }

  /** Waits until each host counts again and has logged it. @returns how many recipients were accepted until then. */
  async function recover(from: readonly number[]): Promise<number> {
    let counted = 0
    for (const [at, host] of relay.hosts.entries()) {
      const before = host.log.length
      await waitFor(async () => {
        const sent = await contoso.send({ from: UNREGISTERED, to: RECIPIENT }, { on: host })
        if (host === accepting) assert.equal(sent.delivered, true)
        return /\bcharged tenant=contoso/.test(host.log.slice(before))
      }, PATIENCE)
      await waitFor(async () => {
        if (/answers again, after \d+ s/.test(host.log.slice(from[at]))) return true
        await contoso.send({ from: UNREGISTERED, to: RECIPIENT }, { on: host })
        return false
      }, PATIENCE)
      counted += host.log.slice(before).match(/\bcharged tenant=contoso/g)?.length ?? 0
    }
    return counted
  }
})

describe('a key of a tenant that holds something else (WRONGTYPE)', () => {
  let relay: TestRelay
  before(async () => {
    const redis = await startRedis()
    relay = new TestRelay(redis, [await startHaraka({ redis })])
  })
  after(() => relay.stop())

  it('stops the counting of that tenant only', async () => {
    const [broken, whole] = [await relay.tenant('broken'), await relay.tenant('whole')]
    const admin = relay.redis.client()
    await admin.set('ud:{broken}:usage', 'x')
    const session = await broken.connect()
    await session.mail(UNREGISTERED)
    for (let at = 0; at < RECIPIENTS; at++) {
      assert.equal((await session.rcpt(`r${at}@far.example`)).raw, REPLY.undecidable)
    }
    await delivers(broken, 'a@broken.example')
    await delivers(whole, UNREGISTERED)
    assert.equal(await whole.used(), 1)
    const lines = errorLines(relay.haraka, 0)
    assert.equal(lines.length, 2, lines.join('\n'))
    assert.match(lines[0]!, /Redis at \S+ holds something else under a key of ours \(WRONGTYPE\);/)
    assert.match(lines[1]!, /undecided tenant=broken .*\(WRONGTYPE\)" verdict=tempfail/)

    const { status, err } = await tenantctl(['--redis', relay.redis.url, 'status', 'broken'])
    assert.equal(status, 1)
    assert.match(err, /tenantctl: Redis at \S+ holds something else under a key of ours/)
    assert.deepEqual(await admin.keys('*:receipt:*broken*'), [])
    assert.equal(await admin.exists('ud:{broken}:restriction'), 0)

    await admin.del('ud:{broken}:usage')
    await session.rset()
    await session.quit()
    await delivers(broken, UNREGISTERED)
    assert.equal(await broken.used(), 1)
    unharmed(relay.haraka)
  })
})

describe('Redis that takes 100 ms for each answer', () => {
  it('delays counted mail, refuses nothing, and counts exactly', async (t) => {
    const { way, haraka, relay } = await behindProxy(t, 2)
    const limit = 120
    const contoso = await relay.tenant('contoso', { limits: `${limit}/1h` })
    way.delay(100)
    const from = haraka.log.length
    const answers = new Map<string, number>()
    const sessions = Array.from({ length: 25 }, async () => {
      const session = await contoso.connect()
      for (let message = 0; message < 3; message++) {
        const { last } = await session.send({
          from: UNREGISTERED,
          to: [RECIPIENT, 'b@far.example'],
        })
        const kind = last.code === 250 ? '250' : last.raw
        answers.set(kind, (answers.get(kind) ?? 0) + 1)
      }
      await session.quit()
    })
    await Promise.all(sessions)
    t.diagnostic(JSON.stringify([...answers]))
    assert.deepEqual([...answers.keys()].sort(), ['250', REPLY.blocked])
    assert.ok(await contoso.restriction())
    // A message with one refused recipient goes to the other.
    const recipients = haraka.sink.messages().reduce((sum, { rcptTo }) => sum + rcptTo.length, 0)
    await waitFor(async () => (await contoso.used()) === recipients, {
      what: `${recipients} counted`,
    })
    assert.ok(recipients <= limit)
    await delivers(contoso, 'a@contoso.example')
    assert.deepEqual(errorLines(haraka, from), [])
    unharmed(haraka)
  })
})

describe('the owner of a sender domain that is not cached yet', () => {
  it('is awaited at the end of DATA where Redis is slow, for the class in a tag', async (t) => {
    const tag = { header: 'X-Relay-Class' }
    const { way, haraka, relay } = await behindProxy(t, 0, { tag })
    const contoso = await relay.tenant('contoso')
    await relay.tenant('fabrikam')
    await delivers(contoso, UNREGISTERED)
    way.delay(50)
    await delivers(contoso, 'a@fabrikam.example')
    const notes = haraka.sink.messages().map(({ note }) => (note as { class: string }).class)
    assert.deepEqual(notes, ['unregistered', 'foreign'])
  })
})

/** A relay whose connection to Redis can be slowed; its timeout exceeds what a busy machine adds. */
async function behindProxy(t: TestContext, nodes = 0, settings: Ini = {}) {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const way = await startRedisProxy(redis.port)
  t.after(() => way.stop())
  const haraka = await startHaraka({ redis: way, nodes, settings })
  t.after(() => haraka.stop())
  return { way, haraka, relay: new TestRelay(redis, [haraka]) }
}

/** The first negative answer to a message, or the last one, as it came. */
async function reply(tenant: TestTenant, from: string, on: TestHaraka): Promise<string> {
  return (await tenant.send({ from, to: RECIPIENT }, { on })).last.raw
}

async function delivers(
  tenant: TestTenant,
  from: string,
  on: TestHaraka = tenant.relay.haraka,
): Promise<void> {
  const { delivered, last } = await tenant.send({ from, to: RECIPIENT }, { on })
  assert.equal(delivered, true, `${from} of ${tenant.id}: ${String(last)}`)
}

/** The plugin's log lines of level error or worse since then. */
function errorLines({ log }: TestHaraka, from: number): string[] {
  return log
    .slice(from)
    .split('\n')
    .filter((line) => /\[(ERROR|CRIT|ALERT|EMERG)\]/.test(line))
    .filter((line) => line.includes('[unregistered-domain]'))
}

/** Without the minute's counts of earlier errors. */
function isFirst(line: string): boolean {
  return !/more in the last minute|\bcount=/.test(line)
}

function withoutHead(line: string): string {
  return line.replace(/^.*\[unregistered-domain\] /, '')
}

/** It has not ended, and none of its promises went unhandled. */
function unharmed(haraka: TestHaraka): void {
  assert.equal(haraka.ended, false)
  assert.doesNotMatch(
    haraka.log,
    /exception|unhandled|internal error|plugin timeout|worker \d+ (killed|exited)|TypeError/i,
  )
}
