// What release 1.0 left behind, read and used by the present version: what is in Redis, a backup, the snapshot file.
import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Ledger } from '../../src/allowance/ledger'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { tenantctl } from '../cli/cli'
import {
  scratchDir,
  startHaraka,
  waitFor,
  type SessionOptions,
  type TestHaraka,
  type TestRedis,
} from '../support'
import { freePort } from '../../scripts/services/port'
import { DEFAULTS } from '../support/allowance'
import { TestDns } from '../support/dns'
import { noMovableClock } from '../support/movable-clock'
import { contains, Release } from '../support/release'
import { answered, REPLY } from '../support/replies'
import { keyZones, signer, signMessage } from '../support/signed'
import { WEBHOOK_SECRET, WebhookEndpoint } from '../support/webhook-endpoint'
import { letter } from '../e2e/table/row'

const release = new Release('release-1.0')
const answers = new Map(release.answers())
/** A session that a connector of the tenant matches. */
const FROM = {
  contoso: { localAddress: '127.77.1.1' },
  school: { localAddress: '127.77.2.1' },
  fabrikam: { localAddress: '127.77.3.1' },
  agency: { localAddress: '127.77.4.1' },
  placed: { localAddress: '127.77.5.1' },
  frozen: { localAddress: '127.77.6.1' },
  trial: { localAddress: '127.77.7.1' },
  /** Its connectors are blocked and disabled. */
  zero: { localAddress: '127.77.8.1' },
  zeroOld: { localAddress: '127.77.8.2' },
} as const satisfies Record<string, SessionOptions>
const FAR = 'a@far.example'
const LURE = 'x@lure.example'

interface Event {
  readonly id: string
  /** The event that it has joined, or itself. */
  readonly alert: string
  readonly kind: string
  readonly at: string
  readonly facts: Readonly<Record<string, unknown>>
}

/** What `tenantctl` answers, which must be able to. */
async function ask(redis: TestRedis, question: string): Promise<unknown> {
  const { status, out, err } = await tenantctl([
    '--redis',
    redis.url,
    '--json',
    ...question.split(' '),
  ])
  assert.equal(status, 0, `${question}: ${err}`)
  return JSON.parse(out)
}

describe('the Redis of release 1.0, asked by tenantctl', { skip: noMovableClock }, () => {
  let redis: TestRedis
  before(async () => {
    redis = await release.startRedis()
  })
  after(() => redis?.stop())

  for (const [question, answer] of answers) {
    it(`${question} says what it said then`, async () => {
      contains(await ask(redis, question), answer)
    })
  }

  it('doctor finds one fault in it: an allowance for forwards, which must be turned on since', async () => {
    const { out } = await tenantctl(['--redis', redis.url, '--json', 'doctor'])
    const found = JSON.parse(out) as { level: string; check: string; message: string }[]
    const failed = found.filter(({ level }) => level !== 'ok' && level !== 'warn')
    assert.deepEqual(
      failed.map(({ check }) => check),
      ['forwarded'],
    )
    assert.match(failed[0]!.message, /1 tenant has an allowance for forwards.*\(school\)$/)
  })
})

describe('mail on the Redis of release 1.0', { skip: noMovableClock }, () => {
  const bank = { domain: 'bank.example' }
  let dns: TestDns
  let endpoint: WebhookEndpoint
  let redis: TestRedis
  let haraka: TestHaraka
  before(async () => {
    dns = await TestDns.start(keyZones([signer(bank)]))
    endpoint = await WebhookEndpoint.start()
    redis = await release.startRedis()
    haraka = await startHaraka({
      redis,
      settings: {
        alerts: { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET },
        reply: { case: true },
        // Forwards are off since then, unless they are turned on.
        forwarded: { enabled: true },
        // As it was set then; but for what the mail of these tests would be.
        unusual: { domains: 5, least: 5, registered_volume: 0 },
        redis: { command_timeout: 5000 },
      },
      plugins: ['ask_test_dns', 'relay', 'unregistered-domain', 'test_sink'],
      localPlugins: { ask_test_dns: `require('node:dns').setServers(['${dns.address}'])` },
      users: { 'web@contoso.com': 'secret', 'printer@contoso.com': 'secret' },
      relayFrom: ['127.77.0.0/16'],
    })
  })
  after(() => Promise.all([haraka, redis, endpoint, dns].map((each) => each?.stop())))

  /** The first negative answer to a message, or the last one. */
  async function said(session: SessionOptions, from: string): Promise<string> {
    return (await haraka.send({ from, to: FAR, session })).last.raw
  }
  /** Recipients in the first window of a meter. */
  async function used(tenant: string, meter: 'windows' | 'null' | 'forwarded' = 'windows') {
    const status = (await ask(redis, `status ${tenant}`)) as Record<string, { used: number }[]>
    return status[meter]![0]!.used
  }

  it('passes where it is registered, by each kind of connector, of a restricted tenant too', async () => {
    const user = (name: string): SessionOptions => ({
      auth: { user: name, password: 'secret' },
      localAddress: '127.77.90.1',
    })
    for (const [session, from] of [
      [FROM.contoso, 'ann@contoso.com'],
      [FROM.contoso, 'ann@news.contoso.com'],
      [user('web@contoso.com'), 'ann@contoso.com'],
      [user('printer@contoso.com'), 'ann@xn--schn-7qa.example'],
      [FROM.agency, 'ann@customer.example'],
      [FROM.placed, 'ann@placed.example'],
    ] as const) {
      assert.match(await said(session, from), /^250 Message Queued/, from)
    }
  })

  it('is refused by each restriction and each connector that was blocked or disabled', async () => {
    for (const [session, from, reply] of [
      [FROM.contoso, LURE, withCase(REPLY.blocked, 'contoso:1')],
      [FROM.placed, LURE, withCase(REPLY.blocked, 'placed:1')],
      [FROM.frozen, 'ann@frozen.example', withCase(REPLY.blockedAll, 'frozen:1')],
      [FROM.zero, 'ann@zero.example', REPLY.connectorBlocked],
      [FROM.zeroOld, 'ann@zero.example', REPLY.noTenant],
    ] as const) {
      assert.equal(await said(session, from), reply)
    }
  })

  it('is counted on from what had been counted, on each meter', async () => {
    // What each had used: 3 of 3 with `defer`, 6 of 6, 4 of 2 in monitor.
    assert.equal(await said(FROM.agency, LURE), REPLY.deferred)
    assert.equal(await said(FROM.school, ''), REPLY.nullSenderFull)
    assert.deepEqual([await used('agency'), await used('school', 'null')], [3, 6])
    assert.match(await said(FROM.fabrikam, LURE), /^250/)
    assert.equal(await used('fabrikam'), 5)
    const before = [await used('school'), await used('school', 'forwarded')]
    const client = await haraka.connect(FROM.school)
    await client.mail('news@bank.example')
    await client.rcpt(FAR)
    await client.data()
    assert.equal((await client.message(signMessage(letter('school.example'), bank))).code, 250)
    await client.quit()
    assert.deepEqual(
      [await used('school'), await used('school', 'forwarded')],
      [before[0], before[1]! + 1],
    )
  })

  it('restricts within a probation that had begun', async () => {
    const { rcpts } = await haraka.send({
      from: LURE,
      to: [FAR, 'b@far.example'],
      session: FROM.trial,
    })
    assert.deepEqual(rcpts.map(({ raw }) => raw).slice(1), [withCase(REPLY.blocked, 'trial:2')])
    const restricted = (await ask(redis, 'restricted')) as { tenant: string; reason: string }[]
    const { reason } = restricted.find(({ tenant }) => tenant === 'trial')!
    assert.equal(reason, 'allowance of 2/1h exceeded within probation')
  })

  it('counts a recipient that has a receipt no second time, and gives it back once', async () => {
    const store = new Store(redis.client(), new Keys('ud:'))
    const ledger = new Ledger(store, 5000)
    const [receipt] = await store.client.keys('ud:{agency}:receipt:*')
    const transaction = receipt!.split(':').at(-1)!
    const { answer } = await ledger.charge(
      {
        ...{ tenant: 'agency', meter: 'unregistered', transaction, ordinal: 1, domainsToken: '' },
        ...{ domain: 'lure.example', connector: 'agency/mx', ip: FROM.agency.localAddress },
      },
      DEFAULTS,
    )
    assert.equal(answer, 'CHARGED')
    assert.equal(await used('agency'), 3)
    assert.equal(await ledger.refund('agency', transaction, [1]), 1)
    assert.equal(await ledger.refund('agency', transaction, [1]), 0)
    assert.equal(await used('agency'), 2)
  })

  it('that was restricted passes again after an unblock, and its case goes on', async () => {
    await ask(redis, 'unblock contoso --reason cleaned')
    await answered(haraka, 1, { session: FROM.contoso, from: LURE, reply: '250 ' })
    assert.match(await said(FROM.contoso, LURE), /^250/)
    assert.equal(await used('contoso'), 1)
    await ask(redis, 'case close contoso:1 --note mended')
    const { closed, lifted } = (await ask(redis, 'case show contoso:1')) as Record<string, unknown>
    assert.ok(closed && lifted)
  })

  it('shows what is unusual since it was told then', async () => {
    const { out, err } = await tenantctl([
      ...['--config', haraka.configDir, '--json'],
      ...['unusual', 'contoso'],
    ])
    assert.equal(err, '')
    const { rules } = JSON.parse(out) as { rules: { rule: string; since: string }[] }
    const told = (answers.get('events') as Event[]).filter(({ kind }) => kind === 'unusual')
    assert.deepEqual(
      rules.map(({ rule, since }) => [rule, since]).sort(),
      told.map(({ facts, at }) => [facts['rule'], at]).sort(),
    )
  })

  it('brings each alert that could not be delivered, once', async () => {
    release.moveTo(3_600_000)
    const alerts = (answers.get('events') as Event[]).filter(({ id, alert }) => id === alert)
    await waitFor(() => alerts.every(({ id }) => endpoint.ids.includes(id)), { timeout: 120_000 })
    assert.equal(new Set(endpoint.ids).size, endpoint.ids.length)
    assert.deepEqual(endpoint.forged, [])
    assert.doesNotMatch(haraka.log, /\[(?:ERROR|CRIT)\].*\[unregistered-domain\]/)
  })
})

describe('the backup of release 1.0', { skip: noMovableClock }, () => {
  it('brings back all that it holds into an empty Redis', async (t) => {
    const redis = await release.startEmptyRedis()
    t.after(() => redis.stop())
    const { status, err } = await tenantctl([
      '--redis',
      redis.url,
      'restore',
      release.file('backup.jsonl'),
    ])
    assert.equal(status, 0, err)
    for (const question of ['tenant list', 'connector list', 'restricted', 'status contoso']) {
      contains(await ask(redis, question), answers.get(question))
    }
  })
})

describe('the snapshot file of release 1.0', () => {
  it('lets a Haraka start whose Redis is away: registered mail passes, restrictions hold', async (t) => {
    const snapshot = path.join(scratchDir('snapshot'), 'snapshot')
    copyFileSync(release.file('snapshot.jsonl'), snapshot)
    const haraka = await startHaraka({
      redis: { port: await freePort() },
      ready: false,
      settings: { outage: { snapshot } },
      relayFrom: ['127.77.0.0/16'],
    })
    t.after(() => haraka.stop())
    await haraka.waitForLog(/remembered/)
    for (const [session, from, reply] of [
      [FROM.contoso, 'ann@news.contoso.com', /^250 Message Queued/],
      [FROM.contoso, LURE, REPLY.blocked],
      [FROM.placed, LURE, REPLY.blocked],
      [FROM.frozen, 'ann@frozen.example', REPLY.blockedAll],
      [FROM.zero, 'ann@zero.example', REPLY.connectorBlocked],
      [FROM.school, LURE, REPLY.undecidable],
      [{ localAddress: '127.77.99.1' }, 'ann@contoso.com', REPLY.undecidable],
    ] as const) {
      const { raw } = (await haraka.send({ from, to: FAR, session })).last
      if (typeof reply === 'string') assert.equal(raw, reply)
      else assert.match(raw, reply)
    }
  })
})

function withCase(reply: string, name: string): string {
  return reply.replace('\r\n', ` (case ${name})\r\n`)
}
