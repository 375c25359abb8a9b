import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  startRelay,
  waitFor,
  type SmtpClient,
  type TestHaraka,
  type TestRelay,
  type TestTenant,
} from '../support'
import { REPLY } from '../support/replies'

const NODES = 2

describe('unregistered mail, on two hosts with two workers each', () => {
  let relay: TestRelay
  before(async () => {
    relay = await startRelay({ hosts: 2, nodes: NODES })
  })
  after(() => relay.stop())

  /** One session on each worker of each host. */
  async function sessionsEverywhere(tenant: TestTenant): Promise<SmtpClient[]> {
    const perHost = await Promise.all(relay.hosts.map((host) => sessionsOn(host, tenant)))
    return perHost.flat()
  }

  async function sessionsOn(host: TestHaraka, tenant: TestTenant): Promise<SmtpClient[]> {
    const byProcess = new Map<number, SmtpClient>()
    await waitFor(async () => {
      const client = await tenant.connect({ on: host })
      const address = `probe@${tenant.domain}`
      const headers = { 'X-Sink': 'probe' }
      await client.send({ from: address, to: address, headers })
      const pid = host.sink.probes().at(-1)?.pid ?? 0
      if (byProcess.has(pid)) await client.quit()
      else byProcess.set(pid, client)
      return byProcess.size === NODES
    })
    return [...byProcess.values()]
  }

  it('passes up to the limit; the next recipient gets the 550 at RCPT, and the message goes to the others', async () => {
    const tenant = await relay.tenant('limit', { limits: '3/1h' })
    const to = ['a@far.example', 'b@far.example', 'c@other.example', 'd@far.example']
    const client = await tenant.connect()
    const sent = await client.send({ from: 'x@stolen.example', to, subject: 'limit' })
    assert.deepEqual(
      sent.rcpts.map(({ code }) => code),
      [250, 250, 250, 550],
    )
    assert.equal(sent.rcpts[3]?.raw, REPLY.blocked)
    assert.ok(sent.delivered)
    const message = await relay.haraka.sink.waitFor(({ subject }) => subject === 'limit')
    assert.deepEqual(message.rcptTo, to.slice(0, 3))
    assert.deepEqual(message.note, {
      tenant: 'limit',
      connector: 'limit/mx',
      class: 'unregistered',
    })
    assert.equal(await tenant.used(), 3)

    // From then on every unregistered domain gets it at MAIL.
    assert.equal((await client.mail('x@stolen.example')).raw, REPLY.blocked)
    assert.equal((await client.mail('y@another.example')).raw, REPLY.blocked)
    assert.ok((await client.send({ from: `x@${tenant.domain}`, to })).delivered)
    await client.quit()
  })

  it('is named in the restriction that it trips', async () => {
    const tenant = await relay.tenant('trigger', { limits: '1/10m' })
    await tenant.send({ from: 'x@Stolen.example', to: ['a@far.example', 'b@far.example'] })
    const restriction = await tenant.restriction()
    assert.equal(restriction?.by, 'automatic')
    assert.equal(restriction.scope, 'unregistered')
    assert.deepEqual(restriction.trigger, {
      window: 600_000,
      limit: 1,
      used: 1,
      domain: 'stolen.example',
      connector: 'trigger/mx',
      ip: tenant.session.localAddress,
    })
  })

  it('is refused from every connector of the tenant, and from no other tenant', async () => {
    const tenant = await relay.tenant('connectors', { limits: '1/1h' })
    const backup = await relay.connector('connectors', 'backup')
    const other = await relay.tenant('bystander', { limits: '1/1h' })
    await tenant.send({ from: 'x@stolen.example', to: ['a@far.example', 'b@far.example'] })

    const mail = { from: 'x@stolen.example', to: 'a@far.example' }
    // At RCPT by a worker that the restriction has not reached yet.
    const refused = await relay.haraka.send({ ...mail, session: backup })
    assert.equal(refused.last.raw, REPLY.blocked)
    assert.ok((await other.send(mail)).delivered)
    assert.equal(await other.restriction(), undefined)
  })

  it('is refused on every worker of every host', async () => {
    const tenant = await relay.tenant('spread', { limits: '1/1h' })
    const clients = await sessionsEverywhere(tenant)
    const sent = await tenant.send({
      from: 'x@stolen.example',
      to: ['a@far.example', 'b@far.example'],
    })
    assert.equal(sent.rcpts[1]?.raw, REPLY.blocked)
    await Promise.all(clients.map(waitUntilRefused))
    await Promise.all(clients.map((client) => client.quit()))
  })

  async function waitUntilRefused(client: SmtpClient): Promise<void> {
    const refused = async () => {
      const reply = await client.mail('y@stolen.example')
      if (reply.positive) await client.rset()
      else assert.equal(reply.raw, REPLY.blocked)
      return !reply.positive
    }
    await waitFor(refused, { interval: 1 })
  }

  it('never passes above the limit, with many sessions on many workers', async () => {
    const limit = 25
    const tenant = await relay.tenant('flood', { limits: `${limit}/1h` })
    const pour = async (session: number) => {
      const client = await tenant.connect({ on: relay.hosts[session % 2] ?? relay.haraka })
      for (let message = 1; message <= 3; message++) {
        const to = ['a@far.example', 'b@far.example']
        await client.send({ from: `x@stolen-${session}.example`, to, subject: 'flood' })
      }
      await client.quit()
    }
    await Promise.all(Array.from({ length: 16 }, (_, session) => pour(session)))

    const messages = relay.hosts.flatMap((host) => host.sink.messages())
    const floods = messages.filter(({ subject }) => subject === 'flood')
    const recipients = floods.flatMap(({ rcptTo }) => rcptTo).length
    assert.equal(recipients, limit)
    assert.equal(await tenant.used(), limit)
    assert.equal((await tenant.restriction())?.trigger?.used, limit)
  })

  it('is delivered to the recipients accepted before another session tripped', async () => {
    const tenant = await relay.tenant('holding', { limits: '2/1h' })
    const client = await tenant.connect()
    await client.mail('x@stolen.example')
    assert.equal((await client.rcpt('held@far.example')).code, 250)

    const trip = { from: 'y@stolen.example', to: ['a@far.example', 'b@far.example'] }
    const sent = await tenant.send(trip, { on: relay.hosts[1] })
    assert.equal(sent.last.raw, REPLY.blocked)
    assert.ok(await tenant.restriction())

    assert.equal((await client.rcpt('late@far.example')).raw, REPLY.blocked)
    assert.equal((await client.data()).code, 354)
    assert.equal((await client.message('Subject: held\r\n\r\nx\r\n')).code, 250)
    const message = await relay.haraka.sink.waitFor(({ subject }) => subject === 'held')
    assert.deepEqual(message.rcptTo, ['held@far.example'])
    assert.equal(await tenant.used(), 2)
    await client.quit()
  })
})
