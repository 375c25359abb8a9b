import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  startHaraka,
  startRedis,
  startRelay,
  tenantctl,
  TestRelay,
  waitFor,
  type HarakaVersion,
} from '../support'
import { addToStream, anAlert, begun, channels, pending } from '../support/alerts'
import { Mailbox } from '../support/mailbox'
import { readPagerduty, readSlack } from '../support/receivers'
import { REPLY } from '../support/replies'
import type { TestTenant } from '../support/relay'
import { serverTime } from '../../src/store/server-clock'
import { WEBHOOK_SECRET, WebhookEndpoint } from '../support/webhook-endpoint'

const PLUGINS = ['relay', 'unregistered-domain', 'route', 'test_sink']

describe('alerts', { concurrency: 2 }, () => {
  let endpoint: WebhookEndpoint
  let mailbox: Mailbox
  before(async () => {
    endpoint = await WebhookEndpoint.start()
    mailbox = await Mailbox.start()
  })
  after(() => Promise.all([endpoint?.stop(), mailbox?.stop()]))

  for (const version of ['3.3.4', '3.1.7'] as HarakaVersion[]) {
    it(`alerts reach webhook and mail without using an allowance, on Haraka ${version}`, async (t) => {
      const operator = `ops@v${version.replaceAll('.', '')}.example`
      const contact = `admin@v${version.replaceAll('.', '')}.example`
      const relay = await startRelay({
        version,
        nodes: version === '3.3.4' ? 2 : 0,
        plugins: PLUGINS,
        localPlugins: { route: mailbox.route },
        settings: {
          // The null sender may send nothing.
          null: { limits: '0/1h' },
          alerts: { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET, mail_to: operator },
        },
      })
      t.after(() => relay.stop())
      await begun(relay.store)
      const tenant = await relay.tenant('contoso', {
        limits: '1/1h',
        domains: ['contoso.example', operator.split('@')[1]!],
      })
      const { client, keys } = relay.store
      await client.hset(keys.tenant('contoso'), 'contact', contact)
      const sent = await tenant.send({
        from: 'x@stolen.example',
        to: ['a@far.example', 'b@far.example'],
      })
      assert.equal(sent.rcpts[1]?.raw, REPLY.blocked)

      const subject = 'High: Tenant restricted from sending unprovisioned email: contoso'
      const mail = await mailbox.waitFor(operator, subject)
      assert.equal(mail.mailFrom, '')
      const header = (name: string): string | undefined => mail.headers.get(name)
      assert.equal(header('auto-submitted'), 'auto-generated')
      assert.equal(header('from'), 'postmaster@relay.example')
      assert.equal(header('to'), operator)
      assert.match(header('message-id') ?? '', /^<evt_\w+@relay\.example>$/)
      assert.ok(Math.abs(Date.parse(header('date') ?? '') - Date.now()) < 600_000)
      assert.match(mail.body, /^ {2}trigger domain +stolen\.example$/m)
      assert.match(mail.body, /^ {2}sources connectors +mx \d\/\d$/m)
      assert.match(mail.body, /^ {2}sources domains +stolen\.example \d\/\d$/m)
      assert.match(mail.body, /^ {2}tenantctl incident contoso:1/m)

      const id = /^<(evt_\w+)@/.exec(header('message-id')!)![1]
      const posted = await waitFor(() => endpoint.received.find((each) => each.id === id))
      assert.equal(posted.type, 'unregistered_domain.restricted')
      assert.equal(posted.data.tenant, 'contoso')

      // Of the restriction it comes five minutes later: see "many restrictions" below.
      const toTenant = await mailbox.waitFor(contact, 'contoso has used 95 % of its allowance')
      assert.match(toTenant.headers.get('message-id')!, /^<evt_\w+\.contact@relay\.example>$/)
      assert.match(toTenant.body, /^ {2}sender domain of the last message +stolen\.example$/m)
      assert.doesNotMatch(toTenant.body, /tenantctl/)

      // Neither meter has counted any of it, and none of it was refused.
      assert.equal(await tenant.used('null'), 0)
      assert.equal(await tenant.used(), 1)
      assert.ok(await tenant.restriction())
      for (const channel of ['webhook', 'mail']) {
        await waitFor(async () => (await pending(relay.store, channel)) === 0)
      }
      await waitFor(async () => (await pending(relay.store, 'contact')) === 1)
      assert.doesNotMatch(relay.haraka.log, /alert given up|was not delivered|Caught exception/)
    })
  }
})

describe('channels of their own', () => {
  it('get what their formats say, come with a reload, and are forgotten when taken out', async (t) => {
    const [chat, pager] = [await WebhookEndpoint.start(), await WebhookEndpoint.start()]
    t.after(() => Promise.all([chat.stop(), pager.stop()]))
    const slack = { url: `http://127.0.0.1:${chat.port}/secret-path`, format: 'slack' }
    const key = 'k'.repeat(32)
    const url = `http://127.0.0.1:${pager.port}/v2/enqueue?routing_key=${key}`
    const oncall = { url, format: 'pagerduty' }
    const relay = await startRelay({ nodes: 2, settings: { 'alert chat': slack } })
    t.after(() => relay.stop())
    const { haraka, store } = relay
    await begun(store, 1)
    haraka.writeSettings({ 'alert chat': slack, 'alert oncall': oncall })
    await begun(store, 2)

    const tenant = await relay.tenant('contoso', { limits: '1/1h' })
    chat.answer = (response) => response.writeHead(503).end('/secret-path')
    const to = ['a@far.example', 'b@far.example']
    await tenant.send({ from: 'x@lure.example', to })
    const triggered = await waitFor(() =>
      pager.posts
        .map(({ body }) => readPagerduty(body))
        .find(({ payload }) => payload?.summary.includes('Tenant restricted')),
    )
    assert.match(JSON.stringify(triggered.payload?.custom_details), /lure\[\.\]example/)
    await waitFor(() => haraka.log.includes('chat (slack) was not delivered'))
    chat.answer = (response) => response.writeHead(200).end('ok')
    const restricted = (): boolean =>
      chat.posts.some(({ body }) => /Tenant restricted/.test(readSlack(body).text))
    await waitFor(restricted, { timeout: 60_000 })

    await tenantctl(['--config', haraka.configDir, 'unblock', 'contoso', '--reason', 'mended'])
    await waitFor(() =>
      pager.posts
        .map(({ body }) => readPagerduty(body))
        .some((each) => each.event_action === 'resolve' && each.dedup_key === triggered.dedup_key),
    )

    haraka.writeSettings({ 'alert oncall': oncall })
    await waitFor(async () => (await channels(store)) === 1, { timeout: 240_000 })
    assert.doesNotMatch(haraka.log, /secret-path|kkkk|Caught exception/)
  })
})

describe('many restrictions', () => {
  it('are one alert, mail contacts by order only, and are lifted by one command', async (t) => {
    const mailbox = await Mailbox.start()
    t.after(() => mailbox.stop())
    const relay = await startRelay({
      nodes: 2,
      plugins: PLUGINS,
      localPlugins: { route: mailbox.route },
      settings: { alerts: { mail_to: 'ops@many.example' } },
    })
    t.after(() => relay.stop())
    await begun(relay.store, 2)
    const { client, keys } = relay.store
    const ids = Array.from({ length: 13 }, (_, at) => `school-${at}`)
    const tenants: TestTenant[] = []
    for (const id of ids) {
      tenants.push(await relay.tenant(id, { limits: '1/1h' }))
      await client.hset(keys.tenant(id), 'contact', `${id}@contacts.example`)
    }
    const since = new Date((await serverTime(client)) - 1000).toISOString()
    for (const tenant of tenants) {
      const sent = await tenant.send({
        from: 'x@stolen.example',
        to: ['a@far.example', 'b@far.example'],
      })
      assert.equal(sent.rcpts[1]?.raw, REPLY.blocked)
    }
    const mail = await mailbox.waitFor('ops@many.example', /^High: More than 10 tenants restricted/)
    assert.match(mail.body, /^ {2}tenants +1[123]$/m)
    const told = mailbox
      .to('ops@many.example')
      .filter(({ headers }) => /^High: Tenant restricted/.test(headers.get('subject')!))
    assert.ok(told.length <= 10, `${told.length}`)
    const ctl = (...args: string[]) =>
      tenantctl(['--config', relay.haraka.configDir, ...args]).then(({ status, stdout }) => {
        assert.equal(status, 0)
        return stdout
      })
    await waitFor(
      async () => (JSON.parse(await ctl('alert', 'contacts', '--json')) as unknown[]).length === 13,
    )
    assert.match(
      await ctl('alert', 'contacts', 'send'),
      /^13 contacts: mailed within half a minute$/m,
    )
    const refused = (id: string) => `Mail of ${id} from unregistered domains is refused`
    for (const id of ids) {
      await mailbox.waitFor(`${id}@contacts.example`, refused(id), 90_000)
    }
    const lifted = await ctl('unblock', '--since', since, '--reason', 'limits too low', '--yes')
    assert.match(lifted, /^unblocked 13 tenants, and closed their cases$/m)
    for (const id of ids) {
      await mailbox.waitFor(`${id}@contacts.example`, `Mail of ${id} is accepted again`)
    }
  })
})

describe('alerts, each of them once', { concurrency: 2 }, () => {
  it('arrive from two Harakas of four processes, while the endpoint goes away and comes back', async (t) => {
    const endpoint = await WebhookEndpoint.start()
    t.after(() => endpoint.stop())
    const relay = await startRelay({
      hosts: 2,
      nodes: 4,
      settings: { alerts: { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET } },
    })
    t.after(() => relay.stop())
    await begun(relay.store, 1)
    const ids: string[] = []
    const raise = async (count: number): Promise<void> => {
      for (let each = 0; each < count; each++) {
        const alert = anAlert()
        ids.push(alert.id)
        await addToStream(relay.store, alert)
      }
    }
    await raise(30)
    await waitFor(() => endpoint.ids.length === 30)
    await endpoint.stop()
    await raise(10)
    await waitFor(() =>
      relay.hosts.some(({ log }) =>
        /webhook to http:\/\/127\.0\.0\.1:\d+ was not delivered, .*ECONNREFUSED/.test(log),
      ),
    )
    await endpoint.restart()
    await raise(10)
    const all = async (): Promise<boolean> =>
      endpoint.ids.length >= 50 && (await pending(relay.store, 'webhook')) === 0
    await waitFor(all, { timeout: 60_000 })
    assert.deepEqual([...endpoint.ids].sort(), [...ids].sort())
    assert.deepEqual(endpoint.forged, [])
  })

  it('wait in Redis while Haraka is started again', async (t) => {
    const endpoint = await WebhookEndpoint.start()
    t.after(() => endpoint.stop())
    const redis = await startRedis()
    t.after(() => redis.stop())
    const settings = { alerts: { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET } }
    const haraka = await startHaraka({ redis, settings })
    t.after(() => haraka.stop())
    const relay = new TestRelay(redis, [haraka])
    await begun(relay.store, 1)
    await endpoint.stop()
    const alerts = Array.from({ length: 5 }, () => anAlert())
    for (const alert of alerts) await addToStream(relay.store, alert)
    await haraka.waitForLog(/was not delivered/)
    // Each has been put back; what a killed process was sending waits a minute.
    await waitFor(async () => (await pending(relay.store, 'webhook', 'waiting-1')) === 5)
    haraka.signal('SIGKILL')
    await addToStream(relay.store, anAlert({ id: 'evt_meanwhile' }))
    await endpoint.restart()
    await haraka.restart()
    const expected = [...alerts.map(({ id }) => id), 'evt_meanwhile'].sort()
    await waitFor(() => endpoint.ids.length >= 6, { timeout: 90_000 })
    assert.deepEqual([...endpoint.ids].sort(), expected)
  })

  it('start and stop with the ini file, without a restart', async (t) => {
    const endpoint = await WebhookEndpoint.start()
    t.after(() => endpoint.stop())
    const relay = await startRelay()
    t.after(() => relay.stop())
    await addToStream(relay.store, anAlert({ id: 'evt_before' }))
    const from = relay.haraka.log.length
    relay.haraka.writeSettings({ alerts: { webhook: endpoint.url } })
    await relay.haraka.waitForLog(/\[alerts\] webhook_secret: empty/, { from })
    assert.equal(await channels(relay.store), 0)
    relay.haraka.writeSettings({
      alerts: { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET },
    })
    await begun(relay.store, 1)
    await addToStream(relay.store, anAlert({ id: 'evt_after' }))
    await waitFor(() => endpoint.ids.length > 0)
    assert.deepEqual(endpoint.ids, ['evt_after'])

    // A test of what was changed just before, and a block of a tenant that no process knows.
    const next = await WebhookEndpoint.start()
    t.after(() => next.stop())
    relay.haraka.writeSettings({ alerts: { webhook: next.url, webhook_secret: WEBHOOK_SECRET } })
    const ctl = async (...args: string[]): Promise<void> => {
      const { status, stderr } = await tenantctl(['--config', relay.haraka.configDir, ...args])
      assert.equal(status, 0, stderr)
    }
    await ctl('alert', 'test')
    await waitFor(() => next.ids.length > 0)
    await ctl('tenant', 'add', 'silent')
    await ctl('block', 'silent', '--reason', 'a test')
    const blocked = performance.now()
    await waitFor(() => next.received.some(({ data }) => data.tenant === 'silent'))
    t.diagnostic(`alert ${Math.round(performance.now() - blocked)} ms after the block`)
    assert.deepEqual(endpoint.ids, ['evt_after'])
    assert.doesNotMatch(relay.haraka.log, new RegExp(WEBHOOK_SECRET.slice(6, 20)))
  })
})
