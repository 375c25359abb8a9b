// Registered mail whose From names no accepted domain: how it is reported and handled, by [header_from] check.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import {
  startRelay,
  waitFor,
  type HarakaVersion,
  type SmtpClient,
  type TestRelay,
  type TestTenant,
} from '../support'
import { DAY } from '../../src/reporting/calendar'
import { readHeaderFroms } from '../../src/reporting/header-from'
import { ReportReader } from '../../src/reporting/reader'
import { observer, resultsOf, type Results } from '../support/observer'
import { REPLY } from '../support/replies'

const PLUGINS = ['relay', 'unregistered-domain', 'test_observer', 'test_refuser', 'test_sink']

/** Another plugin that refuses a message at the end of DATA. */
const REFUSER = `
exports.hook_data_post = (next, { transaction }) =>
  transaction.header.get('X-Data-Post').trim() === 'refuse' ? next(DENY, 'no') : next()
`

let senders = 0

/** A unique sender distinguishes the observations of two messages. */
function newSender(tenant: TestTenant): string {
  return `sender${++senders}@${tenant.domain}`
}

/** A transaction up to the answer to DATA. */
async function openData(
  client: SmtpClient,
  from: string,
  to = ['someone@far.example'],
): Promise<void> {
  assert.equal((await client.mail(from)).code, 250)
  for (const recipient of to) assert.equal((await client.rcpt(recipient)).code, 250)
  assert.equal((await client.data()).code, 354)
}

/** Sends a message with exactly this header in an open session. */
async function sendRaw(
  client: SmtpClient,
  from: string,
  header: string,
  to?: string[],
): Promise<string> {
  await openData(client, from, to)
  return (await client.message(`${header}Subject: Test\r\n\r\nHello\r\n`)).raw
}

async function startWith(check: string, version: HarakaVersion = '3.3.4'): Promise<TestRelay> {
  return startRelay({
    version,
    settings: { header_from: { check } },
    plugins: PLUGINS,
    localPlugins: { [observer.name]: observer.source, test_refuser: REFUSER },
  })
}

for (const version of ['3.3.4', '3.1.7'] satisfies HarakaVersion[]) {
  describe(`[header_from] check=report on Haraka ${version}`, () => {
    let relay: TestRelay
    before(async () => {
      relay = await startWith('report', version)
    })
    after(() => relay.stop())

    it('accepts all mail, and reports one message in fifty, once a minute in the log', async () => {
      const tenant = await relay.tenant('reported')
      const client = await tenant.connect()
      const found: (Results | null)[] = []
      for (let message = 1; message <= 150; message++) {
        const from = newSender(tenant)
        assert.match(await sendRaw(client, from, 'From: x@evil.example\r\n'), /^250 /)
        found.push(await resultsOf(relay.haraka, from))
      }
      await client.quit()
      const told = found.filter((results) => results !== null)
      // Any 150 messages in a row hold two complete groups of fifty.
      assert.ok(told.length >= 2 && told.length <= 4, `${told.length} of 150`)
      for (const results of told) {
        assert.deepEqual(results.fail, ['header-from'])
        assert.equal(results.tenant, 'reported')
        assert.equal(results.connector, 'reported/mx')
        assert.equal(results.domain, 'reported.example')
        assert.equal((results as { from?: string }).from, 'evil.example')
      }
      const lines = relay.haraka.log
        .split('\n')
        .filter((line) => line.includes('] header-from ') && line.includes('tenant=reported '))
      assert.equal(lines.length, 1)
      assert.match(
        lines[0] ?? '',
        / \[NOTICE\] .*\] header-from tenant=reported connector=reported\/mx domain=reported.example from=evil.example$/,
      )
      assert.equal(await tenant.used(), 0)
    })

    it('reports no mail whose From fits', async () => {
      const tenant = await relay.tenant('fitting')
      const client = await tenant.connect()
      for (let message = 1; message <= 100; message++) {
        const from = newSender(tenant)
        const header = `From: "x@evil.example" <${from}>\r\n`
        assert.match(await sendRaw(client, from, header), /^250 /)
        assert.equal(await resultsOf(relay.haraka, from), null)
      }
      await client.quit()
    })
  })
}

describe('[header_from] check=off', () => {
  let relay: TestRelay
  before(async () => {
    relay = await startWith('off')
  })
  after(() => relay.stop())

  it('checks no mail', async () => {
    const tenant = await relay.tenant('unseen')
    const client = await tenant.connect()
    for (let message = 1; message <= 100; message++) {
      const from = newSender(tenant)
      assert.match(await sendRaw(client, from, 'From: x@evil.example\r\n'), /^250 /)
      assert.equal(await resultsOf(relay.haraka, from), null)
    }
    await client.quit()
  })
})

for (const version of ['3.3.4', '3.1.7'] satisfies HarakaVersion[]) {
  describe(`[header_from] check=charge on Haraka ${version}`, () => {
    let relay: TestRelay
    before(async () => {
      relay = await startWith('charge', version)
    })
    after(() => relay.stop())

    it('accepts mail whose From fits without a Redis command', async () => {
      const tenant = await relay.tenant('fits')
      const client = await tenant.connect()
      const header = `From: "x@evil.example" <a@${tenant.domain}>\r\n`
      // Retries until no background work interferes.
      await waitFor(async () => {
        await relay.redis.resetCommandStats()
        for (let message = 1; message <= 5; message++) {
          assert.match(await sendRaw(client, newSender(tenant), header), /^250 /)
        }
        return isDeepStrictEqual(await relay.redis.commandStats(), {})
      })
      await client.quit()
      assert.equal(await tenant.used(), 0)
    })

    const forged: readonly (readonly [what: string, header: string, from: string])[] = [
      ['names another domain', 'From: Anna <x@evil.example>\r\n', 'evil.example'],
      ['names another beside its own', 'From: a@DOMAIN, x@evil.example\r\n', 'evil.example'],
      ['names another in a group', 'From: Team: a@DOMAIN, x@evil.example;\r\n', 'evil.example'],
      ['comes twice', 'From: a@DOMAIN\r\nFrom: x@evil.example\r\n', 'evil.example'],
      ['has a gap before its colon', 'From : x@evil.example\r\nFrom: a@DOMAIN\r\n', 'evil.example'],
      ['is folded', 'From: "Anna"\r\n\t<x@evil.example>\r\n', 'evil.example'],
      ['holds octets beyond UTF-8', 'From: \u00ff <x@evil.example>\r\n', 'evil.example'],
      ['names no address', 'From: Undisclosed:;\r\n', '(none)'],
      ['is not there', '', '(none)'],
      [
        'comes only after 1,000 lines',
        `${'X: y\r\n'.repeat(1000)}From: x@evil.example\r\n`,
        '(none)',
      ],
      ['is longer than any', `From: ${'a@DOMAIN, '.repeat(2000)}x@evil.example\r\n`, '(none)'],
    ]
    for (const [at, [what, header, named]] of forged.entries()) {
      it(`counts the recipients of mail whose From ${what}, but not its own`, async () => {
        const tenant = await relay.tenant(`forged-${at}`)
        const client = await tenant.connect()
        const from = newSender(tenant)
        const to = ['a@far.example', `b@${tenant.domain}`, 'c@far.example']
        const raw = header.replaceAll('DOMAIN', tenant.domain)
        assert.match(await sendRaw(client, from, raw, to), /^250 /)
        const results = await resultsOf(relay.haraka, from)
        assert.deepEqual(results?.fail, ['header-from'])
        assert.equal((results as { from?: string }).from, named)
        assert.deepEqual(results?.pass, ['allowance'])
        assert.equal(await tenant.used(), 2)
        await client.quit()
      })
    }

    it('restricts a tenant past its allowance with the exact 550, and counts none of that message', async () => {
      const tenant = await relay.tenant('trips', { limits: '3/1h' })
      const client = await tenant.connect()
      const send = (to: string[]) =>
        sendRaw(client, newSender(tenant), 'From: x@evil.example\r\n', to)
      assert.match(await send(['a@far.example', 'b@far.example']), /^250 /)
      assert.equal(await send(['a@far.example', 'b@far.example']), REPLY.blocked)
      assert.equal((await tenant.restriction())?.trigger?.domain, 'evil.example')
      assert.equal(await tenant.used(), 2)
      // Every such message from now on; the tenant's honest mail and mail to itself go on.
      assert.equal(await send(['a@far.example']), REPLY.blocked)
      assert.match(await send([`a@${tenant.domain}`]), /^250 /)
      const honest = await sendRaw(client, newSender(tenant), `From: a@${tenant.domain}\r\n`)
      assert.match(honest, /^250 /)
      await client.quit()
    })

    it('refunds what was counted where the message is refused later', async () => {
      const tenant = await relay.tenant('back')
      const client = await tenant.connect()
      const raw = await sendRaw(
        client,
        newSender(tenant),
        'From: x@evil.example\r\nX-Sink: refuse\r\n',
      )
      assert.match(raw, /^5/)
      await waitFor(async () => (await tenant.used()) === 0)
      await client.quit()
    })

    it('refuses nothing in monitor', async () => {
      const tenant = await relay.tenant('watched', { limits: '1/1h', mode: 'monitor' })
      const client = await tenant.connect()
      const to = ['a@far.example', 'b@far.example']
      assert.match(await sendRaw(client, newSender(tenant), 'From: x@e.example\r\n', to), /^250 /)
      assert.equal(await tenant.used(), 2)
      await client.quit()
    })

    it('checks no mail of a tenant whose mode is off', async () => {
      const tenant = await relay.tenant('asleep', { mode: 'off' })
      const client = await tenant.connect()
      assert.match(await sendRaw(client, newSender(tenant), 'From: x@evil.example\r\n'), /^250 /)
      assert.equal(await tenant.used(), 0)
      await client.quit()
    })

    it('reports the From of bounces that were, or may have been, accepted, and of no others', async () => {
      const tenant = await relay.tenant('bounces')
      const client = await tenant.connect()
      for (const trouble of ['X-Sink: refuse', 'X-Sink: defer', 'X-Data-Post: refuse']) {
        const untaken = await sendRaw(client, '', `From: x@refused.example\r\n${trouble}\r\n`)
        assert.match(untaken, /^[45]/)
      }
      await openData(client, '')
      client.write('From: x@half.example\r\nSubject: cut off\r\n\r\nThe first half of')
      await client.leave()

      const leaving = await tenant.connect()
      await openData(leaving, '')
      const left = 'From: x@left.example\r\nSubject: left\r\nX-Sink: hold\r\n\r\nHello\r\n'
      await leaving.messageAndLeave('FIN', left)
      await relay.haraka.sink.waitForHeld('left')
      relay.haraka.sink.release('left')

      const staying = await tenant.connect()
      const own = await sendRaw(staying, '', `From: postmaster@${tenant.domain}\r\n`)
      assert.match(own, /^250 /)
      assert.match(await sendRaw(staying, '', 'From: ceo@bank.example\r\n'), /^250 /)
      await staying.quit()
      const reader = new ReportReader(relay.store)
      const [from, to] = [Date.now() - DAY, Date.now() + DAY]
      const found = () => readHeaderFroms(reader, tenant.id, from, to, 'null')
      await waitFor(async () => (await found()).looked >= 3)
      const { looked, domains } = await found()
      assert.equal(looked, 3)
      const connector = `${tenant.id}/mx`
      assert.deepEqual(
        domains.toSorted((a, b) => a.domain.localeCompare(b.domain)),
        ['bank.example', 'left.example'].map((domain) => ({ domain, connector, messages: 1 })),
      )
      assert.equal((await readHeaderFroms(reader, tenant.id, from, to)).mismatched, 0)
    })

    it('answers 451 while Redis is away, and accepts honest mail', async () => {
      const tenant = await relay.tenant('alone')
      const client = await tenant.connect()
      await sendRaw(client, newSender(tenant), `From: a@${tenant.domain}\r\n`)
      await relay.redis.stop()
      const forgedMail = await sendRaw(client, newSender(tenant), 'From: x@evil.example\r\n')
      assert.match(forgedMail, /^451 /)
      const honest = await sendRaw(client, newSender(tenant), `From: a@${tenant.domain}\r\n`)
      assert.match(honest, /^250 /)
      await client.quit()
    })
  })
}
