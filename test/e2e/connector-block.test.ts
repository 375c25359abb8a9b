// One connector of a tenant is blocked; the others, and all other tenants, go on.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  CertificateAuthority,
  newAddress,
  startRelay,
  waitFor,
  type SessionOptions,
  type SmtpClient,
  type TestRelay,
  type TestTenant,
} from '../support'
import { answered, REPLY } from '../support/replies'

const NODES = 2
const ACT = { by: 'ann', reason: 'taken over' }
const RECIPIENT = 'a@far.example'

describe('a blocked connector, with two workers', () => {
  const ca = new CertificateAuthority('CA of the clients')
  const server = ca.issue({ commonName: 'relay.example', names: ['relay.example'] })
  let relay: TestRelay

  before(async () => {
    relay = await startRelay({
      nodes: NODES,
      users: { mallory: 'secret', bob: 'secret' },
      tls: { key: server.key, cert: server.cert, ca: ca.cert },
    })
  })
  after(() => relay.stop())

  const block = (tenant: string, name = 'mx') => relay.registry.connectors.block(tenant, name, ACT)
  const unblock = (tenant: string, name = 'mx') =>
    relay.registry.connectors.unblock(tenant, name, ACT)

  const everywhere = (session: SessionOptions, from: string, reply: string): Promise<void> =>
    answered(relay.haraka, NODES, { session, from, reply })

  /** All lines of ours with this token that name the connector. */
  const lines = (token: string, connector: string): string[] =>
    relay.haraka.log
      .split('\n')
      .filter((line) => line.includes(`[unregistered-domain] ${token} `))
      .filter((line) => line.includes(`connector=${connector}`))

  it('gets the 550 5.7.711 for all relayed mail; the other connector and the other tenant go on', async () => {
    const tenant = await relay.tenant('contoso')
    const other = await relay.connector('contoso', 'web')
    const bystander = await relay.tenant('bystander')
    await block('contoso')
    await everywhere(tenant.session, `x@${tenant.domain}`, REPLY.connectorBlocked)

    const client = await tenant.connect()
    for (const from of [`x@${tenant.domain}`, 'x@stolen.example', '']) {
      assert.equal((await client.mail(from)).raw, REPLY.connectorBlocked, `<${from}>`)
    }
    await client.quit()
    for (const from of [`x@${tenant.domain}`, 'x@stolen.example', '']) {
      const mail = { from, to: RECIPIENT }
      assert.ok((await relay.haraka.send({ ...mail, session: other })).delivered, `<${from}>`)
    }
    assert.ok((await bystander.send({ from: 'x@stolen.example', to: RECIPIENT })).delivered)
    assert.equal(await tenant.used(), 1)
    assert.equal(await tenant.restriction(), undefined)

    assert.equal(await unblock('contoso'), 'unblocked')
    await everywhere(tenant.session, `x@${tenant.domain}`, '250 ')
    assert.ok((await tenant.send({ from: 'x@stolen.example', to: RECIPIENT })).delivered)
  })

  it('is logged once by each process, and so is its first refusal', async () => {
    const tenant = await relay.tenant('told')
    await block('told')
    await everywhere(tenant.session, `x@${tenant.domain}`, REPLY.connectorBlocked)
    await unblock('told')
    await waitFor(() => lines('connector-unblocked', 'told/mx').length === NODES)
    const [blocked, unblocked] = [
      lines('connector-blocked', 'told/mx'),
      lines('connector-unblocked', 'told/mx'),
    ]
    assert.equal(blocked.length, NODES)
    for (const line of blocked) {
      assert.match(
        line,
        / \[WARN\] .*\] connector-blocked tenant=told connector=told\/mx by=ann reason="taken over"$/,
      )
    }
    for (const line of unblocked) {
      assert.match(line, / \[WARN\] .*\] connector-unblocked tenant=told connector=told\/mx$/)
    }
    const refused = lines('refused', 'told/mx')
    assert.equal(refused.length, NODES)
    for (const line of refused) assert.match(line, / \[NOTICE\] .* reason=connector-blocked$/)
  })

  it('is refused in an open session and in an open transaction', async () => {
    const tenant = await relay.tenant('open')
    const client = await tenant.connect()
    assert.equal((await client.mail(`x@${tenant.domain}`)).code, 250)
    assert.equal((await client.rcpt(RECIPIENT)).code, 250)
    await block('open')
    await waitFor(async () => (await client.rcpt(RECIPIENT)).raw === REPLY.connectorBlocked)
    await client.rset()
    assert.equal((await client.mail(`x@${tenant.domain}`)).raw, REPLY.connectorBlocked)
    await unblock('open')
    await waitFor(async () => {
      const { code } = await client.mail(`x@${tenant.domain}`)
      if (code === 250) await client.rset()
      return code === 250
    })
    await client.quit()
  })

  it('is blocked and unblocked on both workers', async () => {
    const tenant = await relay.tenant('spread')
    const clients = await sessionsEverywhere(tenant)
    for (let round = 1; round <= 3; round++) {
      await block(tenant.id)
      await Promise.all(clients.map((client) => until(client, tenant, REPLY.connectorBlocked)))
      await unblock(tenant.id)
      await Promise.all(clients.map((client) => until(client, tenant, '250 ')))
    }
    await Promise.all(clients.map((client) => client.quit()))
  })

  async function until(client: SmtpClient, tenant: TestTenant, wanted: string): Promise<void> {
    await waitFor(async () => {
      const { raw, code } = await client.mail(`x@${tenant.domain}`)
      if (code === 250) await client.rset()
      return raw.startsWith(wanted)
    })
  }

  /** One session on each worker. */
  async function sessionsEverywhere(tenant: TestTenant): Promise<SmtpClient[]> {
    const byProcess = new Map<number, SmtpClient>()
    await waitFor(async () => {
      const client = await tenant.connect()
      const address = `probe@${tenant.domain}`
      await client.send({ from: address, to: address, headers: { 'X-Sink': 'probe' } })
      const pid = relay.haraka.sink.probes().at(-1)?.pid ?? 0
      if (byProcess.has(pid)) await client.quit()
      else byProcess.set(pid, client)
      return byProcess.size === NODES
    })
    return [...byProcess.values()]
  }

  it('by AUTH or certificate does not fall through to the address of one that is not blocked', async () => {
    const localAddress = newAddress()
    const tenant = await relay.tenant('methods', {
      connectors: {
        net: { ip: [`${localAddress}/32`] },
        user: { auth: ['mallory'] },
        cert: { cert: ['mx.methods.example'] },
      },
    })
    const from = `x@${tenant.domain}`
    const byIp = { localAddress }
    const byUser = { localAddress, auth: { user: 'mallory', password: 'secret' } }
    const { key, cert } = ca.issue({ names: ['mx.methods.example'] })
    const byCertificate = { localAddress, starttls: { key, cert } }
    const sessions = { net: byIp, user: byUser, cert: byCertificate }
    for (const [name, session] of Object.entries(sessions)) {
      await relay.attributed(session, `methods/${name}`)
    }
    for (const [name, session] of Object.entries(sessions)) {
      await block('methods', name)
      await everywhere(session, from, REPLY.connectorBlocked)
      for (const [other, free] of Object.entries(sessions)) {
        if (other !== name) await everywhere(free, from, '250 ')
      }
      await unblock('methods', name)
      await everywhere(session, from, '250 ')
    }
  })
})

describe('a blocked connector', () => {
  it('is refused by a Haraka that starts without Redis', async (t) => {
    const relay = await startRelay()
    t.after(() => relay.stop())
    const { haraka, redis } = relay
    const tenant = await relay.tenant('contoso')
    const other = await relay.connector('contoso', 'web')
    await relay.registry.connectors.block('contoso', 'mx', ACT)
    await haraka.waitForLog(/connector-blocked/)
    const file = path.join(haraka.dir, 'unregistered-domain.snapshot')
    await waitFor(() => existsSync(file) && readFileSync(file, 'utf8').includes(ACT.reason))
    await redis.kill()
    haraka.signal('SIGKILL')
    await haraka.restart({ ready: false })
    await haraka.waitForLog(/\bremembered\b/)
    const mail = { from: `x@${tenant.domain}`, to: RECIPIENT }
    assert.equal((await tenant.send(mail)).mail.raw, REPLY.connectorBlocked)
    assert.ok((await haraka.send({ ...mail, session: other })).delivered)
  })

  it('gets its own reply even where it relays only by grant_relay', async (t) => {
    const relay = await startRelay({
      settings: { attribution: { grant_relay: true } },
      relayFrom: [],
    })
    t.after(() => relay.stop())
    const tenant = await relay.tenant('contoso')
    await relay.registry.connectors.block('contoso', 'mx', ACT)
    await relay.haraka.waitForLog(/connector-blocked/)
    const client = await tenant.connect()
    assert.equal((await client.mail(`x@${tenant.domain}`)).raw, REPLY.connectorBlocked)
    await client.quit()
  })

  it('is not refused in monitor or under an override', async (t) => {
    const relay = await startRelay({ settings: { main: { override: 'monitor' } } })
    t.after(() => relay.stop())
    const tenant = await relay.tenant('contoso')
    await relay.registry.connectors.block('contoso', 'mx', ACT)
    await relay.haraka.waitForLog(/connector-blocked/)
    assert.ok((await tenant.send({ from: `x@${tenant.domain}`, to: RECIPIENT })).delivered)
  })
})
