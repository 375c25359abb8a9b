import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { Webhook } from 'standardwebhooks'
import type { Outcome } from '../../src/alerts/channel'
import { settingsMark } from '../../src/alerts/test-alert'
import type { Post } from '../../src/alerts/formats/format'
import { FORMAT as STANDARD } from '../../src/alerts/formats/standard'
import { judgeResponse } from '../../src/alerts/post'
import { WebhookChannel } from '../../src/alerts/webhook'
import type { Alert } from '../../src/records/event'
import { waitFor } from '../support'
import { anAlert } from '../support/alerts'
import { WEBHOOK_SECRET, WebhookEndpoint, type Answer } from '../support/webhook-endpoint'

async function endpoint(t: TestContext, answer?: Answer): Promise<WebhookEndpoint> {
  const started = await WebhookEndpoint.start()
  if (answer) started.answer = answer
  t.after(() => started.stop())
  return started
}

function webhookRequest(alert: Alert, secret: string, at: Date): Post {
  return STANDARD.post(alert, { url: 'https://hooks.example/', secret, at })
}

function post(url: string, alert = anAlert(), timeout?: number): Promise<Outcome> {
  const settings = {
    webhook: url,
    webhookSecret: WEBHOOK_SECRET,
    mailTo: [],
    mailFrom: '',
    contactTemplates: '',
  }
  return new WebhookChannel(() => settings, timeout).deliver(alert)
}

describe('a webhook', () => {
  it('gets the alert with a signature that the reference library accepts', async (t) => {
    const there = await endpoint(t)
    const alert = anAlert({ kind: 'allowance', title: 'Größe \u202e "x"' })
    assert.deepEqual(await post(there.url, alert), { kind: 'delivered' })
    assert.deepEqual(there.forged, [])
    assert.deepEqual(there.received, [
      {
        id: alert.id,
        type: 'unregistered_domain.allowance',
        timestamp: alert.at,
        data: alert,
      },
    ])
  })

  it('gets a test alert only by the settings that it tests', async (t) => {
    const there = await endpoint(t)
    const tested = {
      ...{ webhook: there.url, webhookSecret: WEBHOOK_SECRET },
      ...{ mailTo: [], mailFrom: '', contactTemplates: '' },
    }
    const before = { ...tested, webhook: 'http://before.example' }
    const settings = settingsMark(tested)
    assert.doesNotMatch(settings, new RegExp(WEBHOOK_SECRET.slice(6, 12)))
    const test = anAlert({ kind: 'test', tenant: '', facts: { by: 'ann', settings } })
    const waiting = await new WebhookChannel(() => before).deliver(test)
    assert.deepEqual(waiting, { kind: 'waiting', ms: 0 })
    assert.deepEqual(await new WebhookChannel(() => tested).deliver(test), { kind: 'delivered' })
    const old = { ...test, at: new Date(Date.now() - 60_000).toISOString() }
    const failed = await new WebhookChannel(() => before).deliver(old)
    assert.match(failed.kind === 'failed' ? failed.reason : '', /compare the ini files/)
    assert.deepEqual(there.ids, [test.id])
  })

  it('detects a changed body, id or time, and an old request', () => {
    const { headers: sent, body } = webhookRequest(anAlert(), WEBHOOK_SECRET, new Date())
    const headers: Record<string, string> = { ...sent }
    const webhook = new Webhook(WEBHOOK_SECRET)
    webhook.verify(body, headers)
    const changed: [string, Record<string, string>][] = [
      [body.replace('contoso', 'fabrikam'), headers],
      [body, { ...headers, 'webhook-id': 'evt_other' }],
      [body, { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) }],
    ]
    for (const [otherBody, otherHeaders] of changed) {
      assert.throws(() => webhook.verify(otherBody, otherHeaders), /No matching signature/)
    }
    const old = webhookRequest(anAlert(), WEBHOOK_SECRET, new Date(Date.now() - 600_000))
    assert.throws(() => webhook.verify(old.body, { ...old.headers }), /too old/)
  })

  it('gets no control characters that a terminal would obey', () => {
    const hostile = { facts: { domain: 'a\u001b]0;x\u0007\u009b\u202e\r\nX: y' } }
    const { body } = webhookRequest(anAlert(hostile), WEBHOOK_SECRET, new Date())
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(body, /[\u0000-\u001f\u007f-\u009f\u202e]/)
    assert.deepEqual(
      (JSON.parse(body) as { data: object }).data,
      anAlert({
        ...(JSON.parse(body) as { data: object }).data,
        ...hostile,
      }),
    )
  })

  it('is not followed if it redirects', async (t) => {
    const elsewhere = await endpoint(t)
    for (const status of [301, 302, 303, 307, 308]) {
      const there = await endpoint(t, (response) =>
        response.writeHead(status, { location: elsewhere.url }).end(),
      )
      const outcome = await post(there.url)
      assert.equal(outcome.kind, 'failed')
      assert.match('reason' in outcome ? outcome.reason : '', /redirects are not followed/)
    }
    assert.deepEqual(elsewhere.received, [])
  })

  it('fails if it does not answer in time', async (t) => {
    const there = await endpoint(t, () => {})
    assert.deepEqual(await post(there.url, anAlert(), 50), {
      kind: 'failed',
      reason: 'no answer within 0.05 s',
    })
  })

  it('is not read further if it answers without end', async (t) => {
    let sent = 0
    let closed = false
    const there = await endpoint(t, (response) => {
      response.writeHead(200)
      const piece = Buffer.alloc(64 * 1024, 'x')
      const more = (): void => {
        while (!response.destroyed && response.write(piece)) sent += piece.length
      }
      response.on('drain', more)
      response.on('close', () => (closed = true))
      more()
    })
    assert.deepEqual(await post(there.url), { kind: 'delivered' })
    await waitFor(() => closed)
    // As much as the kernel buffers on both sides.
    assert.ok(sent < 32 * 1024 * 1024, `${sent} octets were sent`)
  })

  it('fails with a short reason if it is away or breaks off', async (t) => {
    const there = await endpoint(t, (response) => void response.socket?.destroy())
    assert.equal((await post(there.url)).kind, 'failed')
    await there.stop()
    assert.deepEqual(await post(there.url), { kind: 'failed', reason: 'ECONNREFUSED' })
    const nowhere = await post('http://no-such-host.invalid/')
    assert.match('reason' in nowhere ? nowhere.reason : '', /^(ENOTFOUND|EAI_AGAIN)$/)
  })

  it('is sent nothing for as long as its answer asks', () => {
    const outcomes: [number, string | null, Outcome][] = [
      [200, null, { kind: 'delivered' }],
      [299, '5', { kind: 'delivered' }],
      [404, null, { kind: 'failed', reason: 'HTTP 404' }],
      [500, null, { kind: 'failed', reason: 'HTTP 500' }],
      [503, '120', { kind: 'failed', reason: 'HTTP 503', pause: 120_000 }],
      [429, null, { kind: 'failed', reason: 'HTTP 429', pause: 30_000 }],
      [429, 'soon', { kind: 'failed', reason: 'HTTP 429', pause: 30_000 }],
      [502, '7', { kind: 'failed', reason: 'HTTP 502', pause: 7000 }],
      [504, null, { kind: 'failed', reason: 'HTTP 504', pause: 30_000 }],
      [503, '999999', { kind: 'failed', reason: 'HTTP 503', pause: 3_600_000 }],
      [503, 'Thu, 01 Jan 1970 00:00:00 GMT', { kind: 'failed', reason: 'HTTP 503', pause: 0 }],
    ]
    for (const [status, retryAfter, outcome] of outcomes) {
      assert.deepEqual(judgeResponse(status, retryAfter), outcome, `${status} ${retryAfter}`)
    }
    const later = judgeResponse(503, new Date(Date.now() + 60_000).toUTCString())
    assert.ok('pause' in later && later.pause > 50_000 && later.pause <= 60_000)
    const gone = judgeResponse(410, null)
    assert.equal(gone.kind, 'refused')
  })
})
