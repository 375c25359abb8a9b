import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { alertWarnings } from '../../src/alerts/settings'
import { parseConfig, type Config } from '../../src/process/config'
import { WEBHOOK_SECRET } from '../support/webhook-endpoint'

const directory = scratchDir('config')
const webhook = 'https://hooks.example/T01/very-secret-path'

function parse(alerts: Record<string, unknown>): { config: Config; errors: string[] } {
  const { config, errors } = parseConfig({ alerts }, directory)
  return { config, errors: errors.map(({ message }) => message) }
}

/** The only error, checked to reveal no secret. */
function mistake(alerts: Record<string, unknown>): string {
  const { errors, config } = parse(alerts)
  assert.equal(errors.length, 1, errors.join('\n'))
  assert.doesNotMatch(errors[0]!, /very-secret|Zebra/)
  assert.equal(config.alerts.webhook, '')
  return errors[0]!
}

describe('[alerts]', () => {
  it('is off by default', () => {
    assert.deepEqual(parse({}).config.alerts, {
      webhook: '',
      webhookSecret: undefined,
      mailTo: [],
      mailFrom: '',
      contactTemplates: '',
    })
  })

  it('accepts a webhook with its secret, from the ini or a file of its own', () => {
    const here = parse({ webhook, webhook_secret: WEBHOOK_SECRET })
    assert.deepEqual(here.errors, [])
    assert.equal(here.config.alerts.webhook, webhook)
    assert.equal(here.config.alerts.webhookSecret, WEBHOOK_SECRET)
    writeFileSync(path.join(directory, 'webhook.secret'), `${WEBHOOK_SECRET}\n`)
    const file = parse({
      webhook,
      webhook_secret: 'whsec_x',
      webhook_secret_file: 'webhook.secret',
    })
    assert.deepEqual(file.errors, [])
    assert.equal(file.config.alerts.webhookSecret, WEBHOOK_SECRET)
  })

  it('rejects a webhook without a secret', () => {
    const text = mistake({ webhook })
    assert.match(text, /^\[alerts\] webhook_secret: empty, but webhook is set, .*openssl rand/)
  })

  it('rejects a secret of the wrong form, and says how to make one', () => {
    const octets = (count: number): string => Buffer.alloc(count, 'Zebra').toString('base64')
    for (const [secret, message] of [
      ['Zebra', /is not whsec_ and base64 behind it/],
      [`whsec_${octets(32).slice(1)}`, /is not whsec_ and base64/],
      [`whsec_ ${octets(32)}`, /is not whsec_ and base64/],
      ['whsec_', /encodes 0 octets, and 24 to 64/],
      [`whsec_${octets(23)}`, /encodes 23 octets, and 24 to 64 are wanted: make one with: echo/],
      [`whsec_${octets(65)}`, /encodes 65 octets/],
      [7, /is not whsec_/],
    ] as [unknown, RegExp][]) {
      assert.match(mistake({ webhook, webhook_secret: secret }), message)
      writeFileSync(path.join(directory, 'bad.secret'), String(secret))
      const inFile = mistake({ webhook, webhook_secret_file: 'bad.secret' })
      assert.match(inFile, /^\[alerts\] webhook_secret_file: /)
      assert.match(inFile, message)
    }
    writeFileSync(path.join(directory, 'empty.secret'), '\n')
    assert.match(mistake({ webhook, webhook_secret_file: 'empty.secret' }), /is empty/)
    assert.match(mistake({ webhook, webhook_secret_file: 'missing' }), /missing does not exist$/)
  })

  it('rejects a webhook that is no URL, or holds a password', () => {
    const secret = { webhook_secret: WEBHOOK_SECRET }
    for (const bad of ['hooks.example', 'ftp://hooks.example/very-secret', 'https://', 7]) {
      assert.match(mistake({ webhook: bad, ...secret }), /^\[alerts\] webhook: is no URL: write/)
    }
    assert.match(
      mistake({ webhook: 'https://mail:Zebra@hooks.example/', ...secret }),
      /holds a user name or password/,
    )
  })

  it('warns of a webhook without TLS, and does not show its path', () => {
    const warningsFor = (url: string): string[] =>
      alertWarnings(parse({ webhook: url, webhook_secret: WEBHOOK_SECRET }).config.alerts).map(
        ({ message }) => message,
      )
    for (const safe of [webhook, 'http://localhost:1/', 'http://127.1.2.3/', 'http://[::1]:80/x']) {
      assert.deepEqual(warningsFor(safe), [], safe)
    }
    for (const host of ['hooks.example', '192.0.2.1', 'localhost.x.net', '127.0.0.1.x.net']) {
      const [message, ...more] = warningsFor(`http://${host}/very-secret`)
      assert.equal(
        message,
        `[alerts] webhook leads to http://${host}: anybody on the network path can read the alerts`,
      )
      assert.deepEqual(more, [])
    }
  })

  it('warns of a secret or sender without a channel', () => {
    const warnings = ({ config }: { config: Config }): string[] =>
      alertWarnings(config.alerts).map(({ message }) => message)
    assert.match(warnings(parse({ webhook_secret: WEBHOOK_SECRET }))[0]!, /nothing is posted/)
    assert.match(warnings(parse({ mail_from: 'a@b.example' }))[0]!, /nothing is mailed/)
    assert.deepEqual(warnings(parse({ mail_to: 'a@b.example' })), [])
  })

  it('accepts addresses, each once and normalized', () => {
    const { errors, config } = parse({
      mail_to: 'Ops@Münster.example, noc@contoso.com,,noc@CONTOSO.com',
      mail_from: 'alerts@relay.example',
    })
    assert.deepEqual(errors, [])
    assert.deepEqual(config.alerts.mailTo, ['Ops@xn--mnster-3ya.example', 'noc@contoso.com'])
    assert.equal(config.alerts.mailFrom, 'alerts@relay.example')
  })

  it('rejects an invalid address', () => {
    for (const bad of ['ops', 'ops@', '@x.example', 'a b@x.example', 'x@localhost', '<>', 7]) {
      assert.match(
        mistake({ mail_to: bad }),
        /^\[alerts\] mail_to: .*is no(t an envelope| mail) addr/,
      )
    }
    for (const bad of ['x@[192.0.2.1]', 'x@y.example\r\nBcc: z@y.example', 'Ops <x@y.example>']) {
      assert.match(mistake({ mail_from: bad }), /^\[alerts\] mail_from: /)
    }
    for (const bad of ['ü@x.example', '"a b"@x.example']) {
      assert.match(mistake({ mail_from: bad }), /something before the @ that not every mail server/)
    }
  })
})
