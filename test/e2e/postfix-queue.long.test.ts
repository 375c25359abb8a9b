// Mail of a tenant's own Postfix that Haraka cannot take now, or that comes in bulk: its queue, its reused connections.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import {
  noPostfix,
  startPostfix,
  startRelay,
  waitFor,
  type DeliveredMessage,
  type TestPostfix,
  type TestRelay,
  type TestTenant,
} from '../support'
import { throughRelay } from '../support/hybrid'

/** An application with an unregistered domain; its mailbox is on the Postfix. */
const SCANNER = 'scanner@printing.example'

// Notes for each message whether its client pipelines commands, and its number in the session.
const watcher = {
  name: 'watcher',
  source: `
    const fs = require('node:fs')
    exports.hook_data = (next, connection) => {
      const { pipelining, tran_count } = connection
      const line = JSON.stringify({ pipelining, number: tran_count }) + '\\n'
      fs.appendFileSync(process.env.HARAKA + '/watched.jsonl', line)
      next()
    }`,
}

describe('the queue of Postfix', { skip: noPostfix }, () => {
  let relay: TestRelay
  before(async () => {
    relay = await startRelay({
      plugins: ['relay', 'unregistered-domain', watcher.name, 'test_sink'],
      localPlugins: { [watcher.name]: watcher.source },
      // Long enough under load, short enough where Redis hangs on purpose.
      settings: { redis: { command_timeout: 1000 } },
    })
  })
  after(() => relay?.stop())

  async function postfixOf(t: TestContext, tenant: TestTenant, more = ''): Promise<TestPostfix> {
    const postfix = await startPostfix({
      mainCf: throughRelay(tenant) + more,
      mailboxes: [SCANNER],
    })
    t.after(() => postfix.stop())
    return postfix
  }

  const delivered = (subject: string): DeliveredMessage[] =>
    relay.haraka.sink.messages().filter((message) => message.subject === subject)

  it('keeps mail that got 451 while Redis hangs, and delivers it once by itself', async (t) => {
    const tenant = await relay.tenant('contoso')
    const postfix = await postfixOf(
      t,
      tenant,
      'queue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n',
    )
    relay.redis.pause()
    t.after(() => relay.redis.resume())
    await postfix.submit({ from: SCANNER, to: 'bob@far.example', subject: 'hangs' })
    const { recipients } = await postfix.waitForDeferred(SCANNER)
    assert.match(
      recipients[0]?.delay_reason ?? '',
      /said: 451 4\.3\.0 Service temporarily unavailable\. Try again later \(in reply to RCPT TO command\)/,
    )
    // Registered mail does not wait.
    await postfix.submit({
      from: 'anna@contoso.example',
      to: 'bob@far.example',
      subject: 'goes on',
    })
    await waitFor(() => delivered('goes on').length === 1)
    assert.deepEqual(delivered('hangs'), [])

    relay.redis.resume()
    await postfix.waitForEmptyQueue()
    assert.equal(delivered('hangs').length, 1)
    assert.equal(delivered('goes on').length, 1)
    // A charge that timed out may have counted; it is refunded.
    await waitFor(async () => (await tenant.used()) === 1, { what: 'one recipient is counted' })
    assert.deepEqual(postfix.mailbox(SCANNER), [])
  })

  it('keeps mail past a limit with defer until there is room, without a restriction', async (t) => {
    const tenant = await relay.tenant('fabrikam', { limits: '2/1h defer' })
    const postfix = await postfixOf(t, tenant)
    const to = ['1@far.example', '2@far.example', '3@far.example']
    await postfix.submit({ from: SCANNER, to, subject: 'scan' })
    const { recipients } = await postfix.waitForDeferred(SCANNER)
    assert.deepEqual(
      recipients.map(({ address }) => address),
      ['3@far.example'],
    )
    assert.match(
      recipients[0]?.delay_reason ?? '',
      /said: 451 4\.7\.1 Too many recipients from unregistered domains\. Try again later/,
    )
    assert.deepEqual(delivered('scan')[0]?.rcptTo, ['1@far.example', '2@far.example'])

    // No attempt is counted.
    await postfix.flush()
    await postfix.waitForLog(/to=<3@far\.example>[^]*to=<3@far\.example>.* status=deferred/)
    assert.equal(await tenant.used(), 2)
    assert.equal(await tenant.restriction(), undefined)

    await relay.registry.tenants.set('fabrikam', { limits: '3/1h defer' })
    await waitFor(async () => {
      await postfix.flush()
      return (await postfix.queue()).length === 0
    })
    assert.deepEqual(
      delivered('scan').map(({ rcptTo }) => rcptTo),
      [['1@far.example', '2@far.example'], ['3@far.example']],
    )
    assert.equal(await tenant.used(), 3)
    assert.deepEqual(postfix.mailbox(SCANNER), [])
  })

  it('sends many messages in one session, pipelined, and each recipient counts once', async (t) => {
    const tenant = await relay.tenant('northwind', { limits: '1000/1h' })
    const postfix = await postfixOf(t, tenant, bulk)
    await submitMany(postfix, tenant.domain)
    await postfix.waitForEmptyQueue()

    const messages = relay.haraka.sink.messages().filter(({ subject }) => subject === 'bulk')
    const counted = messages.filter(({ mailFrom }) => mailFrom === SCANNER)
    assert.equal(messages.length, 40)
    assert.equal(counted.flatMap(({ rcptTo }) => rcptTo).length, 60)
    assert.equal(await tenant.used(), 60)
    // Otherwise the test would not cover reused connections.
    assert.match(postfix.log, /conn_use=[2-9]/)
    assert.ok(watched().some(({ pipelining, number }) => pipelining && number > 1))
    assert.deepEqual(postfix.mailbox(SCANNER), [])
  })

  it('bounces what goes past the allowance meanwhile, and exactly the allowance passes', async (t) => {
    const tenant = await relay.tenant('tailspin', { limits: '20/1h' })
    const postfix = await postfixOf(t, tenant, bulk)
    const before = relay.haraka.sink.messages().length
    await submitMany(postfix, tenant.domain)
    await postfix.waitForEmptyQueue()

    const messages = relay.haraka.sink.messages().slice(before)
    const counted = messages.filter(({ mailFrom }) => mailFrom === SCANNER)
    assert.equal(counted.flatMap(({ rcptTo }) => rcptTo).length, 20)
    assert.equal(await tenant.used(), 20)
    assert.ok(await tenant.restriction())
    const registered = messages.filter(({ mailFrom }) => mailFrom === 'anna@tailspin.example')
    assert.equal(registered.length, 20)
    const failed = postfix
      .mailbox(SCANNER)
      .flatMap((report) => report.match(/^Final-Recipient: .*$/gm) ?? [])
    assert.equal(failed.length, 40)
  })

  // Few connections for many messages.
  const bulk = `smtp_destination_concurrency_limit = 3
smtp_connection_cache_destinations = 127.0.0.1
`

  /** 40 messages, of a user and of the scanner in turn; the scanner's have three recipients. */
  async function submitMany(postfix: TestPostfix, domain: string): Promise<void> {
    const client = await postfix.connect()
    for (let message = 0; message < 40; message++) {
      const scanned = message % 2 === 0
      const to = [1, 2, 3].map((each) => `${message}-${each}@far.example`)
      const sent = await client.send({
        from: scanned ? SCANNER : `anna@${domain}`,
        to: scanned ? to : to.slice(0, 1),
        subject: 'bulk',
      })
      assert.equal(sent.delivered, true)
    }
    await client.quit()
  }

  function watched(): { pipelining: boolean; number: number }[] {
    const text = readFileSync(path.join(relay.haraka.dir, 'watched.jsonl'), 'utf8')
    const lines = text.trim().split('\n')
    return lines.map((line) => JSON.parse(line) as { pipelining: boolean; number: number })
  }
})
