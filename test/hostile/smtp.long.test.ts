// Everything that a client can send, to a Haraka with the plugin and to one without: both give the same replies,
// except where the plugin refuses. Afterwards Redis holds only expected keys, and counted equals accepted.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { envelopeDomain } from '../../src/names/envelope'
import { standingOf } from '../../src/decision/classify'
import { isOwn } from '../../src/decision/judge'
import {
  LONGEST_DOMAIN,
  LONGEST_HELO,
  LONGEST_MESSAGE_ID,
  LONGEST_USER,
  MOST_HEADER_FROM_ROWS,
  MOST_CONNECTOR_ROWS,
  MOST_SAMPLED,
  MOST_SAMPLES,
  MOST_UNATTRIBUTED,
} from '../../src/reporting/bounds'
import { OTHER } from '../../src/reporting/rows'
import {
  newAddress,
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type HarakaVersion,
  type SessionOptions,
  type StartHarakaOptions,
  type TestHaraka,
} from '../support'
import { contentsOf, type Contents } from '../support/contents'
import { LIBRARIES } from '../support/envelope-libraries'
import { ACCEPTED } from '../support/hostile-addresses'
import {
  greeting,
  otherCommand,
  PROXIES,
  transaction,
  USERS,
  XCLIENTS,
  type Step,
} from '../support/hostile-commands'
import { snapshotWith } from '../support/judgement'
import { UNSAFE } from '../support/log-lines'
import { connectionIniTrusting } from '../support/proxy'
import { REPLY } from '../support/replies'
import { runs, SEED } from '../support/seed'
import { Transcript } from '../support/transcript'
import { readTotal } from '../support/report-fields'

// AUTH for every user name; sessions with XCLIENT may relay.
const site = `
  exports.register = function () { this.inherits('auth/auth_base') }
  exports.hook_capabilities = function (next, connection) {
    connection.capabilities.push('AUTH PLAIN LOGIN')
    connection.notes.allowed_auth_methods = ['PLAIN', 'LOGIN']
    next()
  }
  exports.check_plain_passwd = (connection, user, password, callback) => callback(true)
  exports.hook_connect = function (next, connection) {
    if (connection.xclient) connection.relaying = true
    next()
  }`

/** Trusted to send PROXY. */
const PROXY = '127.78.0.2'
const LIBRARY: Record<HarakaVersion, string> = { '3.3.4': 'Haraka 3.3', '3.1.7': 'Haraka 3.1' }

const options: StartHarakaOptions = {
  localPlugins: { site },
  config: { 'connection.ini': connectionIniTrusting(PROXY) },
  relayFrom: ['127.77.0.0/16', '127.78.0.0/16', '192.0.2.0/24', '2001:db8::/32'],
}

const GOOD: Step = {
  bytes: Buffer.from('MAIL FROM:<u@contoso.com>\r\nRCPT TO:<u@far.example>\r\n'),
  deliver: true,
}
const BAD: Step = {
  ...GOOD,
  bytes: Buffer.from('MAIL FROM:<u@evil.example>\r\nRCPT TO:<u@far.example>\r\n'),
}
/** Haraka may have accepted none of the random ones. */
const BOUNCE: Step = {
  ...GOOD,
  bytes: Buffer.from('MAIL FROM:<>\r\nRCPT TO:<u@far.example>\r\n'),
}

/** RFC 5321 §4.2; Haraka itself repeats 8-bit text of its client. */
const REPLY_LINES = /^(?:(?:([2-5][0-5]\d)-[^\r\n]*\r\n(?=\1))*[2-5][0-5]\d [^\r\n]*\r\n|closed)$/

/** A line at which Haraka ends a session at once. */
const TOO_LONG = ['521 Command line too long\r\n', 'closed']

/**
 * The part of both replies that must be equal. At a line that is too long Haraka drops pending replies; with the
 * plugin one may be the previous recipient, which waits for Redis.
 */
function comparable(mine: readonly string[], theirs: readonly string[]): [string[], string[]] {
  const cut = [mine, theirs].every((answers) => isDeepStrictEqual(answers.slice(-2), TOO_LONG))
  const upTo = cut ? Math.min(mine.length, theirs.length) - TOO_LONG.length : undefined
  return [mine.slice(0, upTo), theirs.slice(0, upTo)]
}

/** Distributes items over this many parallel sessions. */
function inSessions<T>(count: number, things: readonly T[]): T[][] {
  return Array.from({ length: count }, (_, at) => things.filter((_, of) => of % count === at))
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** The keys that mail may add or change, with their expected content. All other keys stay the same. */
const MAY_CHANGE: readonly (readonly [
  RegExp,
  (entries: readonly string[], key: string) => void,
])[] = [
  [/^ud:\{(?:contoso|blocked)\}:(?:usage|receipt:[0-9A-F-]+\.\d+)$/, () => {}],
  [/^ud:\{(?:contoso|blocked)\}:report:[hd]\d+$/, assertRows],
  [/^ud:(?:\{(?:contoso|blocked)\}:report:[hd]|\{@unattributed\}:d)\d+:others$/, assertNumber],
  [/^ud:\{(?:contoso|blocked)\}:samples:d\d+$/, assertSamples],
  [/^ud:\{(?:contoso|blocked)\}:seen$/, assertSeen],
  [/^ud:\{@unattributed\}:d\d+$/, assertUnattributed],
  [/^ud:\{(?:contoso|blocked|@unattributed)\}:flushes$/, assertFlushes],
  [
    /^ud:\{@reported\}$/,
    (entries) => assert.deepEqual([...entries].sort(), ['blocked', 'contoso']),
  ],
  [/^ud:\{@reported\}:mail:d\d+$/, assertIndexed],
  [/^ud:\{@reported\}:since$/, ([since]) => assert.match(since!, /^\d{13}$/)],
  [/^ud:\{@events\}:(?:watch|hosts)$/, (entries) => assert.equal(entries.length, 1)],
  [/^ud:\{(?:contoso|blocked)\}:report:h\d+:minutes$/, assertMinutes],
  [/^ud:\{@nodes\}$/, ([said], key) => assert.doesNotMatch(said!, UNSAFE, key)],
  [/^ud:\{@nodes\}:(?:seen|configs)$/, (entries) => assert.ok(entries.length <= 2)],
  [/^ud:\{@totals\}$/, assertTotals],
  [/^ud:\{@totals\}:added$/, (entries) => assert.equal(entries.length, 1)],
]

function assertTotals(entries: readonly string[], key: string): void {
  const COUNTER =
    /^(?:version|added|[a-z-] [a-z]+ (?:recipients|messages)|undecided [a-z-]+) = \d+$/
  for (const entry of entries) assert.match(entry, COUNTER, key)
}

/** A value from a client; `(other)` is the sum of the rest. */
function assertChosen(text: string, shape: RegExp, key: string): void {
  assert.doesNotMatch(text, UNSAFE, key)
  if (text !== OTHER) assert.match(text, shape, key)
}

const DOMAIN = /^(?:[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?)?$/
/** Haraka accepts any spelling from trusted clients: `0xc0.0.2.1`. */
const ADDRESS = /^[0-9a-fx.:/]{2,43}$/
const CONNECTOR = /^(?:contoso\/(?:all|users)|blocked\/mx)?$/
const COUNTS = /^\d+(?: \d+){9}$/

function assertMinutes(entries: readonly string[], key: string): void {
  for (const [field, value] of entries.map(pairOf)) {
    const [kind, connector, ...more] = field.split('\t')
    assert.match(kind!, /^[urnxf]$/, `${key}: ${field}`)
    assert.deepEqual(more, [], `${key}: ${field}`)
    assertChosen(connector!, CONNECTOR, key)
    assert.match(value, /^(?:\n\d+(?: \d+){8})+$/, `${key}: ${field}`)
  }
}

function pairOf(entry: string): [field: string, value: string] {
  const end = entry.lastIndexOf(' = ')
  return [entry.slice(0, end), entry.slice(end + 3)]
}

/** A name of one label can only be registered as shared. */
const REGISTERED = new Map(
  [...ACCEPTED].map(([domain, flags]) => [domain, { ...flags, shared: !domain.includes('.') }]),
)

const OURS_WHILE_RESTRICTED: readonly string[] = [REPLY.blocked, REPLY.oneRecipient]

function assertSource(field: string, key: string): void {
  const [kind, domain, connector, ip, user, ...more] = field.split('\t')
  assert.deepEqual([kind, more], ['s', []], `${key}: ${field}`)
  assertChosen(domain!, DOMAIN, key)
  assertChosen(connector!, CONNECTOR, key)
  assertChosen(ip!, ADDRESS, key)
  assertUser(user!, key)
}

function assertUser(user: string, key: string): void {
  assert.doesNotMatch(user, UNSAFE, key)
  assert.ok(Buffer.byteLength(user) <= LONGEST_USER, `${key}: ${user}`)
}

/** Rows of From: of registered mail, and of the null sender. */
const HEADER_FROM = ['h', 'hn']

/** The number of messages checked for these. */
function isLooked(kind: string | undefined): boolean {
  return kind === 'l' || kind === 'ln'
}

function isHeaderFrom(kind: string | undefined): boolean {
  return HEADER_FROM.includes(kind ?? '')
}

function assertRows(entries: readonly string[], key: string): void {
  const fields = entries.map(pairOf)
  const rows = fields.filter(([field]) => field.startsWith('s\t'))
  assert.ok(rows.length <= MOST_CONNECTOR_ROWS + 1, `${key}: ${rows.length} rows`)
  for (const kind of HEADER_FROM) {
    const { length } = fields.filter(([field]) => field.startsWith(`${kind}\t`))
    assert.ok(length <= MOST_HEADER_FROM_ROWS + 1, `${key}: ${length} of ${kind}`)
  }
  for (const [field, value] of fields) {
    const [kind, first, second, ...more] = field.split('\t')
    if (kind === 't') assert.match(field, /^t\t\d{1,2}\t[urn]$/, key)
    else if (isLooked(kind)) assert.match(field, /^ln?\t\d{1,2}$/, key)
    else if (isHeaderFrom(kind)) {
      assert.deepEqual(more, [], field)
      assertChosen(first!, DOMAIN, key)
      assertChosen(second!, CONNECTOR, key)
    } else assertSource(field, key)
    const shape = isHeaderFrom(kind) ? /^\d+$/ : isLooked(kind) ? /^\d+ \d+$/ : COUNTS
    assert.match(value, shape, `${key}: ${field}`)
  }
}

function assertNumber(entries: readonly string[], key: string): void {
  assert.ok(entries.length === 1 && entries[0]!.startsWith('HYLL'), key)
}

function assertIndexed(entries: readonly string[], key: string): void {
  for (const entry of entries) {
    const [value, tenant, ...more] = entry.split('\t')
    assert.deepEqual(more, [], `${key}: ${entry}`)
    assert.doesNotMatch(value!, UNSAFE, key)
    assert.match(value!, /^[abdm]./, key)
    assert.ok(Buffer.byteLength(value!) <= 1 + LONGEST_DOMAIN, entry)
    assert.match(tenant!, /^(?:contoso|blocked|)$/, key)
  }
}

function assertSamples(entries: readonly string[], key: string): void {
  assert.ok(entries.length <= MOST_SAMPLED, `${key}: ${entries.length}`)
  for (const [field, value] of entries.map(pairOf)) {
    assertSource(field, key)
    const samples = value.split('\n')
    assert.ok(samples.length <= MOST_SAMPLES, `${key}: ${value}`)
    for (const sample of samples) {
      const [messageId, helo, ...more] = sample.split('\t')
      assert.deepEqual(more, [], `${key}: ${sample}`)
      assert.doesNotMatch(messageId! + helo!, UNSAFE, key)
      assert.ok(Buffer.byteLength(messageId!) <= LONGEST_MESSAGE_ID, sample)
      assert.ok(Buffer.byteLength(helo!) <= LONGEST_HELO, sample)
    }
  }
}

function assertSeen(entries: readonly string[], key: string): void {
  for (const [connector] of entries.map(pairOf)) assert.match(connector, /^(?:all|users|mx)$/, key)
}

function assertUnattributed(entries: readonly string[], key: string): void {
  assert.ok(entries.length <= MOST_UNATTRIBUTED + 1, `${key}: ${entries.length} rows`)
  for (const [field, value] of entries.map(pairOf)) {
    const [ip, user, certificate, ...more] = field.split('\t')
    assert.deepEqual([certificate, more], [ip === OTHER ? OTHER : '', []], `${key}: ${field}`)
    assertChosen(ip!, ADDRESS, key)
    assertUser(user!, key)
    assert.match(value, COUNTS, key)
  }
}

/** Of the only process. */
function assertFlushes(entries: readonly string[], key: string): void {
  assert.equal(entries.length, 1, key)
  assert.match(entries[0]!, /^[\w-]+ = \d+ \d+$/, key)
}

for (const version of ['3.3.4', '3.1.7'] as const) {
  describe(`a hostile client of Haraka ${version} (SEED=${SEED})`, () => {
    let relay: TestRelay
    let ours: TestHaraka
    let alone: TestHaraka
    let restricted: SessionOptions
    let held: Contents

    before(async () => {
      const redis = await startRedis()
      const plugins = (ours: string[]) => ['relay', 'xclient', 'site', ...ours, 'test_sink']
      ;[ours, alone] = await Promise.all([
        startHaraka({ ...options, version, redis, plugins: plugins(['unregistered-domain']) }),
        startHaraka({ ...options, version, plugins: plugins([]) }),
      ])
      relay = new TestRelay(redis, [ours])
      const domains = [...REGISTERED].map(([domain, flags]) => ({ domain, ...flags }))
      const limits = '10000000/1h'
      await relay.tenant('contoso', {
        ...{ limits, nullLimits: limits, domains },
        connectors: {
          all: { ip: ['127.77.0.0/16', '192.0.2.1/32', '2001:db8::1/128'] },
          users: { auth: ['alice', 'boss@users.example', '*@users.example'] },
        },
      })
      restricted = (
        await relay.tenant('blocked', { limits, domains: [{ domain: 'blocked.example' }] })
      ).session
      await relay.restrictions.place('blocked', {
        scope: 'unregistered',
        by: 'ann',
        reason: 'spam',
      })
      await relay.attributed({ localAddress: newAddress() }, 'contoso/all')
      await waitFor(async () =>
        (await new Transcript(ours, restricted).after(BAD)).includes(REPLY.blocked),
      )
      // The effects of the restriction itself.
      const { client, keys } = relay.store
      await waitFor(() => client.exists(keys.evidence('blocked', 1)))
      await waitFor(async () => !(await client.hexists(keys.tenant('blocked'), 'events')))
      held = await contentsOf(relay.store)
    })
    after(async () => {
      await alone.stop()
      await relay.stop()
    })

    /** Sends steps to both, over one session each while it lasts, and compares the replies. */
    async function compare(
      session: SessionOptions,
      steps: readonly Step[],
      lines: readonly (string | Buffer)[] = [],
    ): Promise<void> {
      const [mine, theirs] = [
        new Transcript(ours, session, lines),
        new Transcript(alone, session, lines),
      ]
      for (const step of [...steps, GOOD]) {
        const [got, expected] = await Promise.all([mine.after(step), theirs.after(step)])
        assert.deepEqual(
          ...comparable(got, expected),
          JSON.stringify(step.bytes.toString('latin1')),
        )
        for (const reply of got) assert.match(reply, REPLY_LINES)
      }
      await Promise.all([mine.end(), theirs.end()])
    }

    it('gets the same replies as from Haraka alone, with any addresses', async (t) => {
      const numRuns = runs(version === '3.3.4' ? 900 : 300)
      const steps = fc.sample(fc.oneof({ weight: 9, arbitrary: transaction }, otherCommand), {
        numRuns,
        seed: SEED,
      })
      const addresses = steps.flatMap(
        ({ bytes }) => bytes.toString('latin1').match(/(?:FROM|TO) ?:/gi) ?? [],
      )
      t.diagnostic(`${addresses.length} addresses`)
      const sessions = inSessions(30, steps)
      await Promise.all(
        sessions.map((its) => compare({ localAddress: newAddress() }, [...its, BOUNCE])),
      )
    })
    it('with any EHLO name', async () => {
      const lines = fc.sample(greeting, { numRuns: 60, seed: SEED })
      const sessions = inSessions(10, lines).map((its) => {
        const steps = its.flatMap((line) => [{ bytes: Buffer.from(line), deliver: false }, BAD])
        return compare({ localAddress: newAddress() }, steps)
      })
      await Promise.all(sessions)
    })
    it('with any AUTH user, by PLAIN and LOGIN', async () => {
      const said = (...lines: string[]): Step[] =>
        lines.map((line) => ({ bytes: Buffer.from(`${line}\r\n`), deliver: false }))
      const byPlain = (user: string) => [...said(`AUTH PLAIN ${base64(`\0${user}\0secret`)}`), BAD]
      const byLogin = (user: string) => [...said('AUTH LOGIN', base64(user), base64('secret')), BAD]
      const localAddress = '127.78.0.9'
      const sessions = inSessions(10, USERS).flatMap((users) =>
        [byPlain, byLogin].map((by) => compare({ localAddress }, users.flatMap(by))),
      )
      await Promise.all(sessions)
      const huge = `AUTH PLAIN ${base64(`\0${'x'.repeat(65_536)}\0secret`)}\r\n`
      await compare({ localAddress: '127.78.0.9' }, [
        { bytes: Buffer.from(huge), deliver: false },
        BAD,
      ])
    })
    it('with any XCLIENT', async () => {
      const sessions = XCLIENTS.map((attributes) =>
        compare({}, [BAD], [`XCLIENT ${attributes}\r\n`, 'EHLO client.example\r\n']),
      )
      await Promise.all(sessions)
    })
    it('with any PROXY line', async () => {
      const sessions = PROXIES.map((line) =>
        compare({ localAddress: PROXY, first: `PROXY ${line}\r\n` }, [BAD]),
      )
      await Promise.all(sessions)
    })

    it('is refused where the tenant is restricted, and only with our replies', async () => {
      const steps = fc.sample(transaction, { numRuns: runs(150), seed: SEED + 1 })
      let blocked = 0
      const sessions = inSessions(10, steps).map(async (its) => {
        const mine = new Transcript(ours, restricted)
        const theirs = new Transcript(alone, restricted)
        for (const step of its) {
          const answers = await Promise.all([mine.after(step), theirs.after(step)])
          const [got, expected] = comparable(...answers)
          const refused = got.findIndex((reply) => OURS_WHILE_RESTRICTED.includes(reply))
          blocked += Number(got[refused] === REPLY.blocked)
          // After a refused MAIL there is no transaction, and after a refused RCPT a different one.
          const same = refused === -1 ? got.length : refused
          const what = JSON.stringify(step.bytes.toString('latin1'))
          assert.deepEqual(got.slice(0, same), expected.slice(0, same), what)
          for (const reply of answers[0]) assert.match(reply, REPLY_LINES)
        }
        await Promise.all([mine.end(), theirs.end()])
      })
      await Promise.all(sessions)
      assert.ok(blocked > steps.length / 10, String(blocked))
      const unregistered = ours.sink.messages().filter(({ note }) => {
        const found = note as { tenant: string; class: string } | undefined
        return found?.tenant === 'blocked' && found.class === 'unregistered'
      })
      assert.deepEqual(unregistered, [])
    })

    it('leaves only accepted mail in Redis', async (t) => {
      const parse = LIBRARIES[LIBRARY[version]]!
      const snapshot = { ...snapshotWith(), domains: REGISTERED }
      const classOf = (address: string) =>
        standingOf(envelopeDomain(parse(`<${address}>`)), snapshot).class
      const accepted = { unregistered: 0, null: 0, registered: 0 }
      for (const { mailFrom, rcptTo, note } of ours.sink.messages()) {
        const found = note as { tenant: string; class: string } | undefined
        if (found?.tenant !== 'contoso') continue
        const senderClass = classOf(mailFrom)
        assert.equal(found.class, senderClass, mailFrom)
        const relayed = rcptTo.filter((recipient) => !isOwn(parse(recipient), snapshot))
        accepted[senderClass as keyof typeof accepted] += relayed.length
      }
      t.diagnostic(JSON.stringify(accepted))
      assert.ok(accepted.unregistered > 0 && accepted.null > 0 && accepted.registered > 0)
      for (const meter of ['unregistered', 'null'] as const) {
        await waitFor(async () => (await relay.used('contoso', meter)) === accepted[meter], {
          what: `${meter} used: ${await relay.used('contoso', meter)} of ${accepted[meter]}`,
        })
      }
      assert.equal(await relay.used('blocked'), 0)

      await waitFor(async () => (await reported('contoso')) === accepted.unregistered, {
        what: `reported: ${await reported('contoso')} of ${accepted.unregistered}`,
      })
      const now = await contentsOf(relay.store)
      for (const [key, entries] of now) {
        const [, check] = MAY_CHANGE.find(([shape]) => shape.test(key)) ?? []
        if (check) check(entries, key)
        else assert.deepEqual(entries, held.get(key), key)
      }
      assert.deepEqual(
        [...held.keys()].filter((key) => !now.has(key) && !/:receipt:/.test(key)),
        [],
      )
    })

    /** Accepted unregistered recipients, according to the days of its report. */
    async function reported(tenant: string): Promise<number> {
      const { client, keys } = relay.store
      const days = await client.keys(`${keys.prefix}{${tenant}}:report:d*[0-9]`)
      const hashes = await Promise.all(days.map((day) => client.hgetall(day)))
      const totals = hashes.flatMap((hash) =>
        Object.entries(hash).flatMap(([field, value]) => readTotal(field, value) ?? []),
      )
      return totals
        .filter((total) => total.class === 'unregistered')
        .reduce((sum, { counts }) => sum + counts.accepted, 0)
    }

    it('breaks no process and no log line', () => {
      assert.equal(ours.ended, false)
      assert.doesNotMatch(ours.log, /internal error|uncaught|Caught exception/i)
      const lines = ours.log.split('\n').filter((line) => line.includes('[unregistered-domain]'))
      for (const line of lines) {
        assert.doesNotMatch(line, UNSAFE)
        assert.match(line, /^\S+Z \[[A-Z]+\] \[[0-9A-F.-]+\] \[unregistered-domain\] [a-z]/)
      }
    })
  })
}
