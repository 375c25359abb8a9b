// Alerts about Redis arrive while there is none: over both channels, from one process of a real Haraka.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startHaraka, startRedis, startRelay, tenantctl, TestRelay, waitFor } from '../support'
import { begun } from '../support/alerts'
import { Mailbox } from '../support/mailbox'
import { WEBHOOK_SECRET, WebhookEndpoint, type Received } from '../support/webhook-endpoint'

const OPERATOR = 'ops@alerts.example'
const NIGHT = 'night@alerts.example'
/** It is told after a minute. */
const PATIENT = { timeout: 150_000 }

describe('alerts about Redis', { concurrency: 2 }, () => {
  let endpoint: WebhookEndpoint
  let mailbox: Mailbox
  before(async () => {
    endpoint = await WebhookEndpoint.start()
    mailbox = await Mailbox.start()
  })
  after(() => Promise.all([endpoint?.stop(), mailbox?.stop()]))

  it('arrive once by webhook and mail while it is stopped, and when it is back', async (t) => {
    const redis = await startRedis({ args: ['--appendonly', 'yes'] })
    const haraka = await startHaraka({
      ...{ redis, nodes: 2, plugins: ['relay', 'unregistered-domain', 'route', 'test_sink'] },
      localPlugins: { route: mailbox.route },
      settings: {
        alerts: { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET, mail_to: OPERATOR },
        'alert night': { mail: NIGHT, min_severity: 'high' },
      },
    })
    const relay = new TestRelay(redis, [haraka])
    t.after(() => relay.stop())
    await relay.tenant('contoso')
    await begun(relay.store, 4)
    const about = (): Received[] =>
      endpoint.received.filter(
        ({ data: { kind, facts } }) =>
          (kind === 'redis_trouble' || kind === 'resolved') && facts['trouble'] === 'away',
      )
    await redis.kill()
    await waitFor(() => about().length === 1, PATIENT)
    const subject = 'High: Redis at 127.0.0.1'
    const mail = await mailbox.waitFor(OPERATOR, new RegExp(`^${subject}`))
    assert.match(mail.body, /tenantctl doctor/)
    await mailbox.waitFor(NIGHT, new RegExp(`^${subject}`))
    await redis.restart()
    await waitFor(() => about().length === 2, PATIENT)
    const [began, over] = about()
    assert.deepEqual(
      [began?.data.severity, over?.data.resolves, over?.type],
      ['High', began?.id, 'unregistered_domain.resolved'],
    )
    const end = await mailbox.waitFor(OPERATOR, /^Informational: Redis answers/)
    assert.match(end.headers.get('references') ?? '', new RegExp(began!.id))
    // None is told by both workers.
    assert.equal(about().length, 2)
  })

  it('arrive when it has lost the registry, and when that is restored', async (t) => {
    const relay = await startRelay({
      settings: { alerts: { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET } },
    })
    t.after(() => relay.stop())
    const tenant = await relay.tenant('contoso')
    await tenant.send({ from: 'x@elsewhere.example', to: 'a@far.example' })
    await begun(relay.store, 1)
    const about = (): Received[] =>
      endpoint.received.filter(({ data: { facts } }) => facts['trouble'] === 'lost')
    await relay.store.client.flushall()
    await waitFor(() => about().length === 1, PATIENT)
    assert.match(about()[0]!.data.title, /has lost the registry, as relay\.example has seen since/)
    assert.equal(
      (await tenantctl(['--config', relay.haraka.configDir, 'init', '--force'])).status,
      0,
    )
    await waitFor(() => about().length === 2, PATIENT)
    assert.equal(about()[1]!.data.resolves, about()[0]!.id)
  })
})
