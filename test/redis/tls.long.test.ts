import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formatIni } from '../../scripts/services/ini'
import { freePort } from '../../scripts/services/port'
import { connect } from '../../src/store/connection'
import type { RedisSettings } from '../../src/store/settings'
import {
  CertificateAuthority,
  scratchDir,
  startHaraka,
  startRedis,
  tenantctl,
  TestRelay,
  waitFor,
  type Certificate,
  type TestRedis,
} from '../support'
import { settingsFor } from '../support/connection'
import { REPLY } from '../support/replies'

/** Redis requires a client certificate. */
const MUTUAL = ['--tls-auth-clients', 'yes']

/** They mostly wait for another attempt to connect, and share nothing. */
const AT_ONCE = { concurrency: true }

describe('TLS to Redis with a private authority and client certificates', AT_ONCE, () => {
  const authority = new CertificateAuthority('redis')
  const foreign = new CertificateAuthority('another')
  const server = { ...authority.issue({ names: ['localhost'] }), ca: authority.cert }
  const client = authority.issue({ commonName: 'haraka' })
  const files: Record<string, string> = {
    'ca.pem': authority.cert,
    'client.pem': client.cert,
    'client.key': client.key,
  }
  const keys = { tls: true, tls_ca: 'ca.pem', tls_cert: 'client.pem', tls_key: 'client.key' }
  let redis: TestRedis
  before(async () => {
    redis = await startRedis({ tls: server, args: MUTUAL })
  })
  after(() => redis?.stop())

  /** A config directory with the files of the client. */
  function configWith(settings: Record<string, string | number | boolean | string[]>): string {
    const config = scratchDir('config')
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(config, name), text)
    writeFileSync(
      path.join(config, 'unregistered-domain.ini'),
      formatIni({ redis: { ...keys, ...settings } }),
    )
    return config
  }

  /** The answers of processes arrive over a connection of its own. */
  async function asksProcesses(config: string, tenant: string): Promise<void> {
    const run = await tenantctl(['--config', config, 'block', tenant, '--reason', 'test'])
    assert.match(run.stdout, /^no Haraka process has reported$/m, run.stderr)
  }

  it('counts, restricts and receives an unblock; a stopped Redis is an outage', async (t) => {
    const own = await startRedis({ tls: server, args: [...MUTUAL, '--appendonly', 'yes'] })
    t.after(() => own.stop())
    const haraka = await startHaraka({
      redis: own,
      settings: { redis: { ...keys, host: 'localhost' } },
      config: files,
    })
    t.after(() => haraka.stop())
    const open = () => own.client({ host: 'localhost', tls: { ca: authority.cert, ...client } })
    const relay = new TestRelay({ client: open, stop: () => own.stop() }, [haraka])
    const tenant = await relay.tenant('contoso', { limits: '2/1h' })
    const mail = { from: 'x@elsewhere.example', to: ['a@far.example', 'b@far.example'] }
    assert.equal((await tenant.send(mail)).delivered, true)
    assert.equal((await tenant.send(mail)).last.raw, REPLY.blocked)
    await relay.lift('contoso')
    await waitFor(async () => (await tenant.send(mail)).delivered)

    await own.kill()
    assert.equal((await tenant.send(mail)).last.raw, REPLY.undecidable)
    assert.equal((await tenant.send({ ...mail, from: 'x@contoso.example' })).delivered, true)
    await own.restart()
    await waitFor(async () => (await tenant.send(mail)).last.raw === REPLY.blocked)
  })

  it('serves tenantctl with the ini alone, and with --redis rediss:// and the files of the ini', async () => {
    const config = configWith({ host: 'localhost', port: redis.port })
    const byIni = await tenantctl(['--config', config, 'tenant', 'add', 'fabrikam'])
    assert.equal(byIni.status, 0, byIni.stderr)
    await asksProcesses(config, 'fabrikam')

    const elsewhere = configWith({ host: 'localhost', port: 1 })
    const url = ['--redis', `rediss://localhost:${redis.port}`]
    const byUrl = await tenantctl([...url, '--config', elsewhere, 'tenant', 'show', 'fabrikam'])
    assert.equal(byUrl.status, 0, byUrl.stderr)
    const without = await tenantctl([...url, 'tenant', 'show', 'fabrikam'])
    assert.equal(without.status, 1)
    assert.match(without.stderr, /authority that is not trusted: name that authority in tls_ca/)
  })

  it('serves a Cluster with host names', async (t) => {
    const byName = ['--cluster-announce-hostname', 'localhost']
    const node = await startRedis({
      tls: server,
      args: [
        ...['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())],
        ...[...byName, '--cluster-preferred-endpoint-type', 'hostname', '--tls-cluster', 'yes'],
        ...MUTUAL,
      ],
    })
    t.after(() => node.stop())
    const open = node.client({ host: 'localhost', tls: { ca: authority.cert, ...client } })
    await open.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await waitFor(async () => /cluster_state:ok/.test(String(await open.call('CLUSTER', 'INFO'))))
    const cluster = [`localhost:${node.port}`]
    const run = await tenantctl(['--config', configWith({ cluster }), 'tenant', 'add', 'contoso'])
    assert.equal(run.status, 0, run.stderr)
    await asksProcesses(configWith({ cluster }), 'contoso')
    const wrong = await tenantctl([
      ...['--config', configWith({ cluster, tls_cert: '', tls_key: '' })],
      ...['tenant', 'list'],
    ])
    assert.equal(wrong.status, 1)
    assert.match(wrong.stderr, /no connection: .*TLS with it fails \(tls_ca, tls_cert/)
  })

  it('serves Sentinel, including the sentinels', async (t) => {
    const sentinel = await startRedis({
      tls: server,
      config: [
        'sentinel resolve-hostnames yes',
        'sentinel announce-hostnames yes',
        `sentinel monitor mail localhost ${redis.port} 1`,
      ],
      args: ['--sentinel', ...MUTUAL],
    })
    t.after(() => sentinel.stop())
    const settings = { sentinels: [`localhost:${sentinel.port}`], sentinel_name: 'mail' }
    const config = configWith(settings)
    const run = await tenantctl(['--config', config, 'tenant', 'add', 'northwind'])
    assert.equal(run.status, 0, run.stderr)
    await asksProcesses(config, 'northwind')
    const wrong = await tenantctl([
      ...['--config', configWith({ ...settings, tls_ca: '' })],
      ...['tenant', 'list'],
    ])
    assert.equal(wrong.status, 1)
    assert.match(
      wrong.stderr,
      /no sentinel names the primary of mail.*TLS with it fails \(tls_ca, tls_cert/,
    )
  })

  const ours = { tlsCa: authority.cert, tlsCert: client.cert, tlsKey: client.key }
  const shown = (certificate: Certificate) => ({
    tlsCert: certificate.cert,
    tlsKey: certificate.key,
  })
  const CLOSED = /^Redis closed the connection; /
  for (const [what, settings, message] of [
    ['an authority that is not in tls_ca', { tlsCa: foreign.cert }, /not trusted: name that/],
    ['an own authority and no tls_ca', { tlsCa: undefined }, /not trusted: name that/],
    [
      'no client certificate',
      { tlsCert: undefined, tlsKey: undefined },
      /^Redis requires a client certificate: name it in tls_cert/,
    ],
    [
      'a client certificate of another authority',
      shown(foreign.issue({ commonName: 'haraka' })),
      /^Redis does not know the authority of the certificate in tls_cert/,
    ],
    [
      'a client certificate that has expired',
      shown(authority.issue({ commonName: 'haraka', expired: true })),
      /^the certificate in tls_cert has expired: renew it/,
    ],
    ['a name that is not in the certificate', { host: '127.0.0.1' }, /is for another name: /],
  ] as [string, Partial<RedisSettings>, RegExp][]) {
    it(`does not connect, and reports ${what}`, async () => {
      const errors = await refusal(redis, { ...ours, ...settings }, message)
      for (const error of errors) {
        assert.ok(message.test(error) || CLOSED.test(error), error)
      }
    })
  }

  it('does not connect, and reports an expired certificate of Redis', async (t) => {
    const expired = authority.issue({ names: ['localhost'], expired: true })
    const old = await startRedis({ tls: { ...expired, ca: authority.cert }, args: MUTUAL })
    t.after(() => old.stop())
    const message = /^the certificate of Redis has expired: renew it$/
    for (const error of await refusal(old, ours, message)) assert.match(error, message)
  })

  it('treats mail as in an outage while the certificate is refused, and logs it once a minute', async (t) => {
    const haraka = await startHaraka({
      redis,
      ready: false,
      settings: { redis: { ...keys, host: 'localhost', tls_ca: 'other.pem' } },
      config: { ...files, 'other.pem': foreign.cert },
    })
    t.after(() => haraka.stop())
    await haraka.waitForLog(/name that authority in tls_ca/)
    const sent = await haraka.send({ from: 'x@elsewhere.example', to: ['a@far.example'] })
    assert.equal(sent.last.raw, REPLY.undecidable)
    assert.equal(haraka.log.match(/name that authority in tls_ca/g)?.length, 1)
    assert.doesNotMatch(haraka.log, /BEGIN|PRIVATE KEY/)
  })
})

/** The log until the message appears; the connection must not succeed. */
async function refusal(
  redis: TestRedis,
  settings: Partial<RedisSettings>,
  message: RegExp,
): Promise<string[]> {
  const errors: string[] = []
  const all = settingsFor(redis, { host: 'localhost', tls: true, ...settings })
  const client = connect(all, (error) => errors.push(error))
  let ready = false
  client.on('ready', () => (ready = true))
  try {
    await waitFor(() => errors.some((error) => message.test(error)), {
      what: `an error like ${String(message)}`,
      // Sometimes it only reports that Redis has closed the connection.
      timeout: 60_000,
    })
    assert.equal(ready, false)
  } finally {
    client.disconnect()
  }
  return errors
}
