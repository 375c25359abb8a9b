import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formatIni, type Ini } from '../../scripts/services/ini'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import {
  CertificateAuthority,
  scratchDir,
  startHaraka,
  startRedis,
  tenantctl,
  waitFor,
  type TestRedis,
} from '../support'
import { tenantctl as inProcess } from '../cli/cli'
import { addToStream, anAlert } from '../support/alerts'

const SECRET = {
  inIni: 'Zebra-in-the-ini',
  inFile: 'Okapi-in-a-file',
  sentinel: 'Tapir-of-sentinels',
  sentinelFile: 'Quagga-in-a-file',
  url: 'Gnu-in-a-url',
  webhook: Buffer.from('Ibex, in the ini, for webhooks').toString('base64'),
  webhookFile: Buffer.from('Civet, in a file, for webhooks').toString('base64'),
  path: 'Kudu-in-a-path',
}

/** The connection to Redis without the secrets. */
type Section = Ini[string]

// They mostly wait, and share nothing.
describe('passwords and keys are never printed', { concurrency: true }, () => {
  const authority = new CertificateAuthority('redis')
  const server = { ...authority.issue({ names: ['localhost'] }), ca: authority.cert }
  const client = authority.issue({ commonName: 'haraka' })
  const other = authority.issue({ commonName: 'other' })
  const files: Record<string, string> = {
    'password.txt': `${SECRET.inFile}\n`,
    'webhook.txt': `whsec_${SECRET.webhookFile}\n`,
    'damaged.txt': `whsec_${SECRET.webhookFile}!\n`,
    'sentinel.txt': `${SECRET.sentinelFile}\n`,
    'ca.pem': authority.cert,
    'client.pem': client.cert,
    'client.key': client.key,
    'other.key': other.key,
  }
  const secrets = [
    ...Object.values(SECRET),
    ...[client.key, other.key].flatMap((key) => key.split('\n').slice(1, -2)),
  ]
  const tls = { tls: true, tls_ca: 'ca.pem', tls_cert: 'client.pem', tls_key: 'client.key' }
  let open: TestRedis
  let secured: TestRedis
  before(async () => {
    open = await startRedis({ args: ['--requirepass', 'something else'] })
    secured = await startRedis({ tls: server, args: ['--tls-auth-clients', 'yes'] })
  })
  after(() => Promise.all([open?.stop(), secured?.stop()]))

  function assertNone(text: string, where: string): void {
    for (const secret of secrets) {
      assert.ok(!text.includes(secret), `${where} tells ${secret}:\n${text}`)
    }
  }

  function sections(): Record<string, Section> {
    const plain = { host: '127.0.0.1', port: open.port }
    return {
      'a wrong password': { ...plain, password: SECRET.inIni },
      'a wrong password from a file': { ...plain, username: 'x', password_file: 'password.txt' },
      'nobody there': { host: '127.0.0.1', port: 1, password: SECRET.inIni },
      'TLS that fails': { ...tls, host: '127.0.0.1', port: secured.port, password: SECRET.inIni },
      'TLS to a server without': { ...tls, ...plain, password: SECRET.inIni },
      'a key that does not fit': { ...tls, host: 'localhost', port: 1, tls_key: 'other.key' },
      'a key for a certificate': { ...tls, tls_cert: 'client.key' },
      'sentinels that are away': {
        sentinels: ['127.0.0.1:1'],
        sentinel_name: 'mail',
        password: SECRET.inIni,
        sentinel_password: SECRET.sentinel,
      },
      'no sentinel': {
        sentinels: [`127.0.0.1:${open.port}`],
        sentinel_name: 'mail',
        sentinel_password_file: 'sentinel.txt',
      },
      'a cluster that is none': { cluster: [`127.0.0.1:${open.port}`], password: SECRET.inIni },
      'a URL for a host': { host: `redis://mail:${SECRET.url}@127.0.0.1` },
      'a URL for a sentinel': { sentinels: [`mail:${SECRET.url}@127.0.0.1:1`], sentinel_name: 'x' },
      'other mistakes': {
        ...plain,
        db: -1,
        nonsense: SECRET.inIni,
        sentinels: ['127.0.0.1:1'],
        cluster: ['127.0.0.1:1'],
        password: SECRET.inIni,
      },
    }
  }

  it('by tenantctl, in any failure', async () => {
    await Promise.all(
      Object.entries(sections()).map(async ([what, redis]) => {
        const here = scratchDir('config')
        for (const [name, text] of Object.entries(files)) writeFileSync(path.join(here, name), text)
        writeFileSync(path.join(here, 'unregistered-domain.ini'), formatIni({ redis }))
        const commands = [
          ['doctor', '--json'],
          ['explain', '--from', 'x@y.example'],
        ]
        for (const command of commands) {
          const run = await tenantctl(['--config', here, ...command])
          assert.notEqual(run.status, 0, `${what}: ${run.stdout}`)
          assertNone(run.stdout + run.stderr, `${what}: ${command.join(' ')}`)
        }
      }),
    )
  })

  /** What may stand in [alerts], right or wrong. */
  function alertSections(): Record<string, Section> {
    const webhook = `http://hooks.invalid/${SECRET.path}`
    const secret = `whsec_${SECRET.webhook}`
    return {
      'a good secret': { webhook, webhook_secret: secret },
      'a good secret in a file': { webhook, webhook_secret_file: 'webhook.txt' },
      'a secret without its beginning': { webhook, webhook_secret: SECRET.webhook },
      'a damaged secret': { webhook, webhook_secret: `${secret}!` },
      'a damaged secret in a file': { webhook, webhook_secret_file: 'damaged.txt' },
      'a secret alone': { webhook_secret: secret },
      'no secret': { webhook },
      'a password in the URL': {
        webhook: `https://x:${SECRET.url}@h.example/`,
        webhook_secret: secret,
      },
      'no URL': { webhook: `hooks.example/${SECRET.path}`, webhook_secret: secret },
    }
  }

  it('by tenantctl, of alerts', async () => {
    const redis = await startRedis()
    await Promise.all(
      Object.entries(alertSections()).map(async ([what, alerts]) => {
        const here = scratchDir('config')
        for (const [name, text] of Object.entries(files)) writeFileSync(path.join(here, name), text)
        const ini = formatIni({ redis: { port: redis.port }, alerts })
        writeFileSync(path.join(here, 'unregistered-domain.ini'), ini)
        for (const command of [['doctor'], ['alert', 'test']]) {
          const run = await inProcess(['--config', here, ...command])
          assertNone(run.out + run.err, `${what}: ${command.join(' ')}`)
        }
      }),
    )
    await redis.stop()
  })

  it('by a Haraka that posts alerts, or cannot', async (t) => {
    const redis = await startRedis()
    t.after(() => redis.stop())
    const { 'a good secret': good, 'a damaged secret': damaged } = alertSections()
    const haraka = await startHaraka({
      redis,
      settings: { alerts: good! },
      config: { ...files, 'log.ini': formatIni({ main: { level: 'LOGPROTOCOL' } }) },
    })
    t.after(() => haraka.stop())
    const store = new Store(redis.client(), new Keys('ud:'))
    await waitFor(() => store.client.exists(store.keys.events))
    await addToStream(store, anAlert())
    await haraka.waitForLog(/webhook to http:\/\/hooks\.invalid was not delivered/)
    const from = haraka.log.length
    haraka.writeSettings({ alerts: damaged! })
    await haraka.waitForLog(/webhook_secret: is not whsec_/, { from })
    assertNone(haraka.log, 'Haraka')
  })

  it('by tenantctl --redis, with any faulty URL', async () => {
    const login = `mail:${SECRET.url}`
    const urls = [
      `redis://${login}@127.0.0.1:${open.port}`,
      `redis://${login}@127.0.0.1:1`,
      `rediss://${login}@localhost:${secured.port}`,
      `redis://${login}%@127.0.0.1:1`,
      `redis://${login}@127.0.0.1:1/no-number`,
      `redis://${login}@127.0.0.1:port`,
      `http://${login}@127.0.0.1`,
      `redis://${login}@`,
    ]
    await Promise.all(
      urls.map(async (url) => {
        for (const json of [[], ['--json']]) {
          const run = await tenantctl(['--redis', url, 'tenant', 'list', ...json])
          assert.notEqual(run.status, 0)
          assertNone(run.stdout + run.stderr, url)
          assert.doesNotMatch(run.stderr, /unexpected/)
        }
      }),
    )
  })

  for (const what of [
    'a wrong password',
    'TLS that fails',
    'a key that does not fit',
    'other mistakes',
  ]) {
    it(`by Haraka, with the most that it can log, as JSON, and in the results store: ${what}`, async (t) => {
      const results = `exports.hook_rcpt_ok = function (next, connection) {
        this.lognotice('results ' + JSON.stringify([connection.results, connection.transaction.results]))
        next()
      }`
      const redis = sections()[what]
      const haraka = await startHaraka({
        ready: false,
        settings: { redis: { ...redis, sentinel_password: SECRET.sentinel } },
        plugins: ['relay', 'unregistered-domain', 'test_sink', 'results'],
        localPlugins: { results },
        config: {
          ...files,
          'log.ini': formatIni({ main: { level: 'LOGPROTOCOL', format: 'json' } }),
        },
      })
      t.after(() => haraka.stop())
      const sent = await haraka.send({ from: 'x@elsewhere.example', to: ['a@far.example'] })
      assert.equal(sent.delivered, false)
      await waitFor(() => /Redis|\[redis\]/.test(haraka.log))
      // Reloaded, with mistakes.
      const from = haraka.log.length
      haraka.writeSettings({
        redis: { ...redis, db: -1 },
        main: { mode: SECRET.inIni.slice(0, 3) },
      })
      await haraka.waitForLog(/in effect, except for/, { from })
      assertNone(haraka.log, what)
    })
  }

  it('the doctor warns where other users may read them', async () => {
    const config = scratchDir('config')
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(config, name), text)
    const redis = { ...tls, host: 'localhost', port: secured.port, password_file: 'password.txt' }
    writeFileSync(path.join(config, 'unregistered-domain.ini'), formatIni({ redis }))
    for (const name of ['password.txt', 'client.key']) chmodSync(path.join(config, name), 0o640)
    const secretsOf = async (): Promise<string[]> => {
      const { stdout } = await tenantctl(['--config', config, 'doctor'])
      return stdout.split('\n').filter((line) => line.includes(' secrets: '))
    }
    assert.deepEqual(await secretsOf(), [
      'ok    secrets: only their owner and group can read passwords and keys',
    ])
    chmodSync(path.join(config, 'client.key'), 0o644)
    const [line = ''] = await secretsOf()
    assert.match(line, /^warn {2}secrets: .*client\.key holds .* mode 0644: others/)
  })
})
