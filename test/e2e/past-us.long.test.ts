// Recipients that other plugins add, or accept past our rcpt_ok: each is counted once, and refused with its command.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRelay, waitFor, type SmtpClient, type TestRelay, type TestTenant } from '../support'

const ALIASES = {
  list: { action: 'alias', to: Array.from({ length: 20 }, (_, at) => `member${at}@far.example`) },
  pair: { action: 'alias', to: ['one@far.example', 'two@far.example'] },
  one: { action: 'alias', to: 'elsewhere@far.example' },
}

/** Answers rcpt_ok before or after ours, refuses, or adds, by the local part of the recipient. */
const MEDDLER = `
  exports.register = function () {
    this.register_hook('rcpt_ok', 'early', -60)
    this.register_hook('rcpt_ok', 'late', 10)
    this.register_hook('data_post', 'add', 10)
  }
  const last = (connection) => connection.transaction.rcpt_to.at(-1).user
  exports.early = (next, connection) => next(last(connection).startsWith('skip') ? OK : CONT)
  exports.late = (next, connection) => next(/^(two|refused)/.test(last(connection)) && connection.transaction.notes.refuse_late ? DENY : CONT)
  exports.add = (next, connection) => {
    const { rcpt_to } = connection.transaction
    if (connection.transaction.mail_from.user === 'adds') rcpt_to.push(...rcpt_to.map((each) => Object.assign(Object.create(Object.getPrototypeOf(each)), each, { user: 'copy', original: '<copy@far.example>' })))
    next()
  }
`
const REFUSER = `
  exports.register = function () { this.register_hook('mail', 'mark', 10) }
  exports.mark = (next, connection, [from]) => { connection.transaction.notes.refuse_late = from.user === 'late'; next() }
`

describe('recipients that other plugins add or accept', () => {
  let relay: TestRelay
  let tenants = 0
  before(async () => {
    relay = await startRelay({
      plugins: ['relay', 'aliases', 'marker', 'meddler', 'unregistered-domain', 'test_sink'],
      localPlugins: { meddler: MEDDLER, marker: REFUSER },
      config: { 'aliases.json': JSON.stringify(ALIASES) },
      settings: { header_from: { check: 'charge' }, forwarded: { enabled: true } },
    })
  })
  after(() => relay.stop())

  const tenantWith = (options: Parameters<TestRelay['tenant']>[1]): Promise<TestTenant> =>
    relay.tenant(`t${++tenants}`, options)

  /** The codes of RCPT, and to how many the message was delivered. */
  async function send(
    tenant: TestTenant,
    to: readonly string[],
    from = 'x@lure.example',
  ): Promise<{ codes: number[]; delivered: number }> {
    const before = relay.haraka.sink.messages().length
    const sent = await tenant.send({ from, to: [...to] })
    const messages = relay.haraka.sink.messages().slice(before)
    return {
      codes: sent.rcpts.map(({ code }) => code),
      delivered: messages.reduce((sum, { rcptTo }) => sum + rcptTo.length, 0),
    }
  }

  const usedOnce = (tenant: TestTenant, expected: number): Promise<unknown> =>
    waitFor(async () => (await tenant.used()) === expected)

  it('count by address, not by RCPT', async () => {
    const tenant = await tenantWith({ limits: '100/1h' })
    const { codes, delivered } = await send(tenant, ['list@far.example', 'one@far.example'])
    assert.deepEqual([codes, delivered], [[250, 250], 21])
    assert.equal(await tenant.used(), 21)
  })

  it('are refused together, and none of them is delivered with the next recipient', async () => {
    const tenant = await tenantWith({ limits: '5/1h' })
    const { codes, delivered } = await send(tenant, ['a@far.example', 'list@far.example'])
    assert.deepEqual([codes, delivered], [[250, 550], 1])
    assert.equal(await tenant.used(), 1)
    assert.match(
      (await tenant.restriction())!.reason,
      /exceeded by an address that stands for 20 recipients$/,
    )
    // While it is restricted, own recipients pass with refuse_at=rcpt only; in monitor all do.
    const deferred = await tenantWith({ limits: '5/1h defer' })
    const again = await send(deferred, ['list@far.example', 'a@far.example'])
    assert.deepEqual([again.codes, again.delivered], [[451, 250], 1])
    assert.equal(await deferred.used(), 1)
    const monitored = await tenantWith({ limits: '5/1h', mode: 'monitor' })
    assert.equal((await send(monitored, ['list@far.example'])).delivered, 20)
    assert.equal(await monitored.used(), 20)
  })

  it('of the null sender count by address, too', async () => {
    const tenant = await tenantWith({ nullLimits: '3/1h' })
    const { codes, delivered } = await send(tenant, ['pair@far.example', 'pair@far.example'], '')
    assert.deepEqual([codes, delivered], [[250, 451], 2])
    assert.equal(await tenant.used('null'), 2)
  })

  it('are held and counted with a message that may be a forward', async () => {
    const tenant = await tenantWith({ limits: '30/1h', forwardedLimits: '5/1h' })
    assert.equal((await send(tenant, ['list@far.example'])).delivered, 20)
    assert.equal(await tenant.used(), 20)
    assert.equal(await tenant.held(), 0)
  })

  it('are refunded and not delivered where another plugin refuses their RCPT', async () => {
    const tenant = await tenantWith({ limits: '100/1h' })
    const from = 'late@lure.example'
    const { codes, delivered } = await send(tenant, ['pair@far.example', 'a@far.example'], from)
    assert.deepEqual([codes, delivered], [[550, 250], 1])
    await usedOnce(tenant, 1)
    assert.equal((await send(tenant, ['a@far.example', 'pair@far.example'], from)).delivered, 1)
    await usedOnce(tenant, 2)
  })

  it('past our rcpt_ok are counted when the message has been accepted, and trip', async () => {
    const tenant = await tenantWith({ limits: '2/1h' })
    const to = Array.from({ length: 5 }, (_, at) => `skip${at}@far.example`)
    assert.equal((await send(tenant, to)).delivered, 5)
    await usedOnce(tenant, 5)
    await waitFor(() => tenant.restriction())
    await waitFor(() => relay.haraka.log.includes('counted-late'))
    // Also of a restricted tenant, in a session from before the restriction.
    const null_ = await tenantWith({ nullLimits: '2/1h' })
    assert.equal((await send(null_, ['skip@far.example', 'a@far.example'], '')).delivered, 2)
    await waitFor(async () => (await null_.used('null')) === 2)
  })

  it('past our rcpt_ok are not removed with refused ones', async () => {
    const tenant = await tenantWith({ limits: '2/1h' })
    const { codes, delivered } = await send(tenant, ['skip@far.example', 'list@far.example'])
    assert.deepEqual([codes, delivered], [[250, 550], 1])
    await usedOnce(tenant, 1)
  })

  it('are not counted where the message is not accepted', async () => {
    const tenant = await tenantWith({ limits: '9/1h' })
    const client: SmtpClient = await tenant.connect()
    await client.mail('x@lure.example')
    await client.rcpt('skip@far.example')
    await client.rcpt('pair@far.example')
    await client.rset()
    assert.equal((await send(tenant, ['a@far.example'])).delivered, 1)
    await usedOnce(tenant, 1)
  })

  it('are counted where added to a message, except own ones and replacements', async () => {
    const tenant = await tenantWith({ limits: '9/1h' })
    await send(tenant, ['a@far.example', 'b@far.example'], 'adds@lure.example')
    await usedOnce(tenant, 4)
    const own = `skip@${tenant.domain}`
    await send(tenant, [own, 'a@far.example'])
    await usedOnce(tenant, 5)
  })

  it('count by address for their From header', async () => {
    const tenant = await tenantWith({
      limits: '30/1h',
      domains: [{ domain: 'agency.example', shared: true }],
    })
    const client = await tenant.connect()
    await client.mail(`ann@agency.example`)
    await client.rcpt('list@far.example')
    await client.rcpt('x@agency.example')
    await client.data()
    const end = await client.message('From: boss@bank.example\r\n\r\nHello\r\n')
    assert.equal(end.code, 250)
    assert.equal(await tenant.used(), 21)
  })
})
