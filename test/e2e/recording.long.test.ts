// Mail of each class through a real Haraka, and its reports in Redis.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { grouped } from '../../src/base/lists'
import { connectorId } from '../../src/mail/identities'
import { ConnectorRegistry } from '../../src/registry/connector-registry'
import type { Counts } from '../../src/reporting/counts'
import { ReportReader } from '../../src/reporting/reader'
import { readUnattributed } from '../../src/reporting/rows'
import { unpackCounts } from '../../src/reporting/counts'
import { newAddress, startRelay, waitFor, type TestRelay, type TestTenant } from '../support'
import { contentsOf } from '../support/contents'
import { FROM } from '../support/transactions'
import { REPLY } from '../support/replies'
import { DAY, HOUR, numbersOf } from '../support/reporting'

const RECIPIENT = 'a@far.example'
const TWO = [RECIPIENT, 'b@far.example']
/** Longer than two flushes. */
const PATIENCE = { timeout: 30_000 }

/** A message with a marker word in every place that must not be kept. */
const SECRET = {
  from: 'secret.sender@unregistered.example',
  to: 'secret.recipient@far.example',
  subject: 'a secret subject',
  headers: { 'X-Secret': 'a secret header' },
}

/** Checks that nothing in Redis has the marker: no report, receipt, evidence, case, event or audit trail. */
async function assertNoSecrets({ store }: TestRelay, word: RegExp): Promise<void> {
  for (const [key, entries] of await contentsOf(store)) {
    for (const entry of [key, ...entries]) assert.doesNotMatch(entry, word, key)
  }
}

/** Today and the days next to it: a test may run at midnight. */
function around(): [number, number] {
  return [Date.now() - DAY, Date.now() + DAY]
}

/** The kept sources of unregistered mail. */
async function sourcesOf({ id, relay }: TestTenant): Promise<object[]> {
  const rows = await new ReportReader(relay.store).rows(id, ...around(), 'hour')
  return rows.map(({ domain, connector, ip, user }) => ({ domain, connector, ip, user }))
}

/** Recipients accepted, deferred, refused, refunded and messages alike, by domain. */
async function byDomain(tenant: TestTenant): Promise<Record<string, number[]>> {
  const rows = await new ReportReader(tenant.relay.store).rows(tenant.id, ...around(), 'hour')
  return Object.fromEntries(rows.map(({ domain, counts }) => [domain, numbersOf(counts)]))
}

/** The same of a whole class. */
async function totalOf(
  tenant: TestTenant,
  senderClass: 'registered' | 'unregistered' | 'null',
): Promise<number[]> {
  const hours = await new ReportReader(tenant.relay.store).hours(tenant.id, ...around())
  return sum(hours.map((hour) => hour[senderClass]))
}

function sum(all: readonly Counts[]): number[] {
  return all.map(numbersOf).reduce((a, b) => a.map((n, at) => n + b[at]!), Array<number>(8).fill(0))
}

/** Waits until something is as expected. */
async function becomes<T>(expected: T, look: () => Promise<T>): Promise<void> {
  const isSo = async (): Promise<boolean> => isDeepStrictEqual(await look(), expected)
  await waitFor(isSo, PATIENCE).catch(() => {})
  assert.deepEqual(await look(), expected)
}

describe('of two workers the reports', () => {
  let relay: TestRelay
  before(async () => {
    relay = await startRelay({ nodes: 2 })
  })
  after(() => relay.stop())

  it('show the outcome of each class of mail, and each recipient once', async () => {
    const tenant = await relay.tenant('contoso', { limits: '5/1h' })
    const own = `x@${tenant.domain}`
    const probes = relay.haraka.sink
      .probes()
      .filter(({ mailFrom }) => mailFrom.endsWith('contoso.example'))
    assert.ok((await tenant.send({ from: own, to: RECIPIENT })).delivered)
    assert.ok((await tenant.send({ from: own, to: TWO })).delivered)
    assert.ok((await tenant.send({ from: '', to: TWO })).delivered)
    assert.ok((await tenant.send({ from: 'x@taken.example', to: TWO })).delivered)
    // Not relayed.
    assert.ok((await tenant.send({ from: 'x@inside.example', to: own })).delivered)
    // Refunded: the client left, or the message was not accepted.
    const client = await tenant.connect()
    await client.mail('x@aborted.example')
    await client.rcpt(RECIPIENT)
    await client.rset()
    await client.quit()
    for (const word of ['refuse', 'defer']) {
      const sent = await tenant.send({
        ...{ from: `x@${word}.example`, to: RECIPIENT, headers: { 'X-Sink': word } },
      })
      assert.equal(sent.delivered, false)
    }
    await waitFor(async () => (await tenant.used()) === 2)
    // The second of these exceeds the limit.
    const four = [...TWO, 'c@far.example', 'd@far.example']
    const last = await tenant.send({ from: 'x@trips.example', to: four })
    assert.equal(last.rcpts[3]!.raw, REPLY.blocked)
    await waitFor(async () => (await tenant.send({ from: FROM, to: TWO })).mail.code === 550)
    const before = (await byDomain(tenant))['unregistered.example']
    assert.equal((await tenant.send({ from: 'x@late.example', to: TWO })).mail.raw, REPLY.blocked)

    await waitFor(async () => 'late.example' in (await byDomain(tenant)), PATIENCE)
    const { 'unregistered.example': meanwhile, ...rows } = await byDomain(tenant)
    assert.ok(meanwhile !== undefined || before === undefined)
    assert.deepEqual(rows, {
      'taken.example': [2, 0, 0, 0, 1, 0, 0, 0],
      'aborted.example': [0, 0, 0, 1, 0, 0, 0, 1],
      'refuse.example': [0, 0, 0, 1, 0, 0, 0, 1],
      'defer.example': [0, 0, 0, 1, 0, 0, 0, 1],
      'trips.example': [3, 0, 1, 0, 1, 0, 0, 0],
      'late.example': [0, 0, 0, 0, 0, 0, 1, 0],
    })
    const registered = probes.length
    await becomes([registered + 3, 0, 0, 0, registered + 2, 0, 0, 0], () =>
      totalOf(tenant, 'registered'),
    )
    await becomes([2, 0, 0, 0, 1, 0, 0, 0], () => totalOf(tenant, 'null'))
    assert.deepEqual(
      await totalOf(tenant, 'unregistered'),
      Object.values(await byDomain(tenant)).reduce((a, b) => a.map((n, at) => n + b[at]!)),
    )
  })

  it('show mail by the minute and connector, registered mail too', async () => {
    const tenant = await relay.tenant('alpine')
    const probes = relay.haraka.sink
      .probes()
      .filter(({ mailFrom }) => mailFrom.endsWith(tenant.domain)).length
    assert.ok((await tenant.send({ from: `x@${tenant.domain}`, to: TWO })).delivered)
    assert.ok((await tenant.send({ from: `x@${tenant.domain}`, to: RECIPIENT })).delivered)
    assert.ok((await tenant.send({ from: '', to: RECIPIENT })).delivered)
    assert.ok((await tenant.send({ from: FROM, to: TWO })).delivered)
    const [connector] = await new ConnectorRegistry(relay.store).list(tenant.id)
    const name = connectorId(tenant.id, connector!.name)
    const lately = [Date.now() - HOUR, Date.now() + HOUR] as const
    await becomes(
      [
        [name, 'null', [1, 0, 0, 0, 1, 0, 0, 0]],
        [name, 'registered', [probes + 3, 0, 0, 0, probes + 2, 0, 0, 0]],
        [name, 'unregistered', [2, 0, 0, 0, 1, 0, 0, 0]],
      ],
      async () => {
        const rows = await new ReportReader(relay.store).minutes(tenant.id, ...lately)
        return grouped(rows, (row) => `${row.connector} ${row.class}`)
          .map(([, some]) => [
            ...[some[0]!.connector, some[0]!.class],
            sum(some.map(({ counts }) => counts)),
          ])
          .sort()
      },
    )
  })

  it('show deferred, monitored and uncounted mail', async () => {
    const deferred = await relay.tenant('deferred', { limits: '1/1h defer' })
    const watched = await relay.tenant('watched', { limits: '1/1h', mode: 'monitor' })
    const unlimited = await relay.tenant('unlimited', { limits: 'unlimited' })
    const off = await relay.tenant('off', { mode: 'off' })
    for (const tenant of [deferred, watched, unlimited, off]) {
      for (let round = 0; round < 3; round++) await tenant.send({ from: FROM, to: RECIPIENT })
    }
    const rowOf = async (tenant: TestTenant): Promise<number[] | undefined> =>
      (await byDomain(tenant))['unregistered.example']
    await becomes([1, 2, 0, 0, 1, 2, 0, 0], () => rowOf(deferred))
    await becomes([3, 0, 0, 0, 3, 0, 0, 0], () => rowOf(watched))
    await becomes([3, 0, 0, 0, 3, 0, 0, 0], () => rowOf(unlimited))
    assert.equal(await rowOf(off), undefined)
  })

  it('show the source and samples of messages', async () => {
    const tenant = await relay.tenant('fabrikam')
    const headers = { 'Message-ID': '<\u001b[31mone@id.example>' }
    const client = await tenant.connect({ helo: 'mail.fabrikam.example' })
    await client.send({ ...SECRET, headers })
    await client.quit()
    const reader = new ReportReader(relay.store)
    await waitFor(async () => (await reader.samples('fabrikam', ...around())).length > 0, PATIENCE)
    const [row] = await reader.rows('fabrikam', ...around(), 'day')
    const [sample] = await reader.samples('fabrikam', ...around())
    const source = {
      class: 'unregistered',
      domain: 'unregistered.example',
      connector: 'fabrikam/mx',
      ip: tenant.session.localAddress,
      user: '',
    }
    assert.deepEqual(row, { ...source, at: row!.at, counts: row!.counts })
    assert.deepEqual(sample, {
      ...{ ...source, at: sample!.at },
      messageId: '<[31mone@id.example>',
      helo: 'mail.fabrikam.example',
    })
    assert.deepEqual([...(await reader.connectorsSeen('fabrikam')).keys()], ['mx'])
    assert.deepEqual(await reader.reported(Date.now() - DAY), [
      ...['alpine', 'contoso', 'deferred', 'fabrikam', 'unlimited', 'watched'],
    ])
  })

  it('keep at most 128 octets of a Message-ID and 64 of a HELO name', async () => {
    const tenant = await relay.tenant('adatum')
    const client = await tenant.connect({ helo: `${'h'.repeat(80)}.example` })
    await client.send({
      ...{
        from: FROM,
        to: RECIPIENT,
        headers: { 'Message-ID': `<${'ü'.repeat(200)}@id.example>` },
      },
    })
    await client.quit()
    const reader = new ReportReader(relay.store)
    await waitFor(async () => (await reader.samples('adatum', ...around())).length > 0, PATIENCE)
    const [sample] = await reader.samples('adatum', ...around())
    assert.equal(sample?.helo, 'h'.repeat(64))
    // A letter of two octets is not split.
    assert.equal(sample?.messageId, `<${'ü'.repeat(63)}`)
  })

  it('keep no recipient, no part before the @ of a sender, no subject and no content', async () => {
    const tenant = await relay.tenant('private', { limits: '1/1h' })
    await tenant.send(SECRET)
    await tenant.send(SECRET)
    const { client, keys } = relay.store
    await waitFor(async () => (await client.exists(keys.evidence('private', 1))) === 1, PATIENCE)
    await becomes([1, 0, 1, 0, 1, 0, 1, 0], () => totalOf(tenant, 'unregistered'))
    await assertNoSecrets(relay, /secret/)
  })

  it('of one tenant with thousands of domains stay small', async () => {
    const tenant = await relay.tenant('taken-over', { limits: 'unlimited' })
    const domains = 3000
    let next = 0
    const work = Array.from({ length: 10 }, async () => {
      const client = await tenant.connect()
      while (next < domains) {
        const from = `x@${(next++).toString(36)}.random-${next}.example`
        const replies = await client.pipeline([
          `MAIL FROM:<${from}>`,
          `RCPT TO:<${RECIPIENT}>`,
          'RSET',
        ])
        assert.equal(replies[1]!.code, 250)
      }
      await client.quit()
    })
    await Promise.all(work)
    await becomes([0, 0, 0, domains, 0, 0, 0, domains], () => totalOf(tenant, 'unregistered'))
    const reader = new ReportReader(relay.store)
    const rows = await reader.rows('taken-over', ...around(), 'day')
    assert.equal(sum(rows.map(({ counts }) => counts))[3], domains)
    const days = new Set(rows.map(({ at }) => at)).size
    assert.ok(rows.length <= 101 * days, `${rows.length} rows`)
    const others = await reader.others('taken-over', ...around(), 'day')
    const missing = domains - 100 * days
    assert.ok(Math.abs(others - missing) < missing * 0.05, `${others} of ${missing}`)
  })
})

describe('a process that is asked to end', () => {
  it('records its counts first', async () => {
    const relay = await startRelay({ nodes: 1 })
    try {
      const tenant = await relay.tenant('contoso')
      assert.ok((await tenant.send({ from: FROM, to: RECIPIENT })).delivered)
      await relay.haraka.restartGracefully()
      assert.deepEqual(await byDomain(tenant), {
        'unregistered.example': [1, 0, 0, 0, 1, 0, 0, 0],
      })
    } finally {
      await relay.stop()
    }
  })
})

describe('with samples=false, unknown=deny and refuse_at=rcpt the reports', () => {
  const anybody = { ip: '(other)', user: '(other)' }
  let relay: TestRelay
  before(async () => {
    relay = await startRelay({
      settings: {
        main: { refuse_at: 'rcpt' },
        report: { samples: 'false' },
        attribution: { unknown: 'deny' },
        outage: { unregistered: 'accept' },
        redis: { command_timeout: 300 },
      },
    })
  })
  after(() => relay.stop())

  it('keep no personal data, and show refused recipients', async () => {
    const tenant = await relay.tenant('contoso', { limits: '1/1h' })
    const headers = { 'Message-ID': '<secret@id.example>' }
    const client = await tenant.connect({ helo: 'secret.helo.example' })
    await client.send({ ...SECRET, headers })
    await client.send({ ...SECRET, headers })
    await waitFor(async () => (await client.send({ from: FROM, to: TWO })).rcpts[0]!.code === 550)
    await client.quit()
    await becomes([1, 0, 3, 0, 1, 0, 2, 0], async () => totalOf(tenant, 'unregistered'))
    const { client: redis, keys } = relay.store
    await waitFor(async () => (await redis.exists(keys.evidence('contoso', 1))) === 1, PATIENCE)
    await assertNoSecrets(relay, /secret/)
    assert.deepEqual(await redis.keys('*:samples:*'), [])
    assert.deepEqual(await sourcesOf(tenant), [
      { ...anybody, domain: 'unregistered.example', connector: 'contoso/mx' },
    ])
  })

  it('show how much mail without a tenant was tried', async () => {
    const localAddress = newAddress()
    const client = await relay.haraka.connect({ localAddress })
    assert.equal((await client.send({ from: FROM, to: TWO })).mail.raw, REPLY.noTenant)
    await client.quit()
    const redis = relay.redis.client()
    const rows = async (): Promise<[object, number[]][]> => {
      const days = await redis.keys('ud:{@unattributed}:d*')
      const hashes = await Promise.all(days.map((day) => redis.hgetall(day)))
      return hashes.flatMap((hash) =>
        Object.entries(hash).map(([field, value]): [object, number[]] => [
          readUnattributed(field),
          numbersOf(unpackCounts(value)),
        ]),
      )
    }
    await becomes([[{ ...anybody, certificate: '(other)' }, [0, 0, 0, 0, 0, 0, 1, 0]]], rows)
  })

  it('show what passed uncounted while Redis was away', async () => {
    const tenant = await relay.tenant('fabrikam')
    relay.redis.pause()
    for (let round = 0; round < 3; round++) {
      assert.ok((await tenant.send({ from: FROM, to: RECIPIENT })).delivered)
    }
    relay.redis.resume()
    await becomes({ 'unregistered.example': [3, 0, 0, 0, 3, 0, 0, 0] }, () => byDomain(tenant))
  })
})

describe('with override=off', () => {
  it('nothing is recorded', async () => {
    const relay = await startRelay({ nodes: 1, settings: { main: { override: 'off' } } })
    try {
      await relay.registry.tenants.add('contoso', {}, 'test')
      const localAddress = newAddress()
      await relay.registry.connectors.add('contoso', 'mx', { ip: [`${localAddress}/32`] }, 'test')
      for (const from of [FROM, 'x@contoso.example', '']) {
        const sent = await relay.haraka.send({ from, to: RECIPIENT, session: { localAddress } })
        assert.ok(sent.delivered)
      }
      // It flushes.
      await relay.haraka.restartGracefully()
      const keys = await relay.redis.client().keys('*')
      assert.deepEqual(
        keys.filter((key) => /report|samples|seen|flushes|unattributed/.test(key)),
        [],
      )
    } finally {
      await relay.stop()
    }
  })
})
