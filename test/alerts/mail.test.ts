import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { contactText } from '../../src/alerts/contact-text'
import { ContactChannel, MailChannel, type Contact } from '../../src/alerts/mail'
import { operatorText } from '../../src/alerts/mail-text'
import type { Alert } from '../../src/records/event'
import { anAlert, SHIPPED_TEXTS } from '../support/alerts'

const TRIGGER = {
  ...{ domain: 'bank.example', connector: 'contoso/mx', ip: '192.0.2.7' },
  ...{ window: 3_600_000, limit: 300, used: 300 },
}

function restricted(facts: object = {}, more: Partial<Alert> = {}): Alert {
  const all = {
    ...{ scope: 'unregistered', by: 'automatic', reason: 'limit reached', case: 'contoso:1' },
    ...{ trigger: TRIGGER, windows: [{ window: 3_600_000, limit: 300, used: 300 }], ...facts },
  }
  return anAlert({ facts: all, ...more })
}

const send = (): Promise<undefined> => Promise.resolve(undefined)

/** The messages that a channel sends for an alert. */
async function sent(
  alert: Alert,
  { mailFrom = '', contact }: { mailFrom?: string; contact?: Contact } = {},
): Promise<{ to: readonly string[]; message: string }[]> {
  const messages: { to: readonly string[]; message: string }[] = []
  const way = {
    settings: () => ({
      ...{ webhook: '', webhookSecret: undefined, contactTemplates: '' },
      ...{ mailTo: ['ops@relay.example', 'noc@far.example'], mailFrom },
    }),
    host: 'relay.example',
    templates: SHIPPED_TEXTS,
    send: (to: readonly string[], message: string) => {
      messages.push({ to, message })
      return Promise.resolve()
    },
  }
  const outcome = contact
    ? await new ContactChannel(way, () => Promise.resolve(contact), send).deliver(alert)
    : await new MailChannel(way).deliver(alert)
  assert.equal(outcome.kind, messages.length === 0 ? 'skipped' : 'delivered')
  return messages
}

describe('mail to operators', () => {
  it('says what happened, with all facts, and what to do next', () => {
    const { subject, lines, urgent } = operatorText(
      restricted({}, { at: '2026-11-25T03:00:00.000Z' }),
    )
    assert.equal(subject, 'High: Tenant restricted from sending unprovisioned email: contoso')
    assert.equal(urgent, false)
    const text = lines.join('\n')
    for (const fact of [
      /^ {2}severity +High$/m,
      /^ {2}tenant +contoso$/m,
      /^ {2}time +2026-11-25T03:00:00\.000Z$/m,
      /^ {2}case +contoso:1$/m,
      /^ {2}trigger domain +bank\.example$/m,
      /^ {2}trigger window +1h$/m,
      /^ {2}windows +window 1h, limit 300, used 300$/m,
      /^What to do next:\n {2}tenantctl case show contoso:1$/m,
    ]) {
      assert.match(text, fact)
    }
  })

  it('is marked as automatic, and identical at each attempt', async () => {
    const alert = restricted({}, { at: '2026-11-25T03:00:00.000Z' })
    const [first, second] = [(await sent(alert))[0]!, (await sent(alert))[0]!]
    assert.deepEqual(first, second)
    assert.deepEqual(first.to, ['ops@relay.example', 'noc@far.example'])
    const { message } = first
    for (const header of [
      /^From: postmaster@relay\.example\r$/m,
      /^To: ops@relay\.example, noc@far\.example\r$/m,
      /^Auto-Submitted: auto-generated\r$/m,
      /^Date: Wed, 25 Nov 2026 03:00:00 \+0000\r$/m,
      /^Content-Type: text\/plain; charset=utf-8\r$/m,
    ]) {
      assert.match(message, header)
    }
    assert.ok(message.includes(`\r\nMessage-ID: <${alert.id}@relay.example>\r\n`))
    assert.ok(message.endsWith('\r\n'))
    assert.doesNotMatch(message, /Importance/i)
  })

  it('comes from mail_from, in the thread of the alert that it ends or counts', async () => {
    const lifted = anAlert({ kind: 'lifted', alert: 'evt_a', resolves: 'evt_b' })
    const [mail] = await sent(lifted, { mailFrom: 'alerts@site.example' })
    assert.match(mail!.message, /^From: alerts@site\.example\r$/m)
    assert.match(mail!.message, /^References: <evt_a@site\.example> <evt_b@site\.example>\r$/m)
    assert.match(mail!.message, new RegExp(`^Message-ID: <${lifted.id}@site\\.example>\r$`, 'm'))
    assert.doesNotMatch((await sent(anAlert({ resolves: '' })))[0]!.message, /^References/m)
  })

  it('is important if a tenant trips again in its probation', async () => {
    const [mail] = await sent(restricted({ escalated: true }))
    assert.match(mail!.message, /^Importance: high\r$/m)
    const low = restricted({ escalated: true }, { severity: 'Low' })
    assert.doesNotMatch((await sent(low))[0]!.message, /Importance/)
  })

  it('says how many events it counts', () => {
    const { subject, lines } = operatorText(anAlert({ count: 7, title: 'T' }))
    assert.equal(subject, 'High: T (7 times)')
    assert.ok(lines.some((line) => /^ {2}events +7$/.test(line)))
  })

  it('lets a forged name add no header and no control character', async () => {
    const forged = 'a\r\nBcc: x@evil.example\r\n\r\n\u001b[2J\u202e\u0085.\r\nQUIT'
    const alert = restricted({ trigger: { ...TRIGGER, domain: forged } }, { title: forged })
    const { message } = (await sent({ ...alert, next: [forged], severity: forged as 'High' }))[0]!
    const [head = '', body = ''] = message.split('\r\n\r\n')
    assert.doesNotMatch(head, /^Bcc/im)
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(message, /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\uffff]|[^\r]\n/)
    assert.doesNotMatch(body, /^\.?\r?$|=1B|=E2=80=AE|=C2=85/m)
    assert.ok(head.split('\r\n').every((line) => line.length < 998))
  })

  it('has a short subject that keeps all letters', async () => {
    const { message } = (await sent(anAlert({ title: `Größe ${'x'.repeat(5000)}` })))[0]!
    assert.match(message, /^Subject: =\?UTF-8\?Q\?High=3A_Gr=C3=B6=C3=9Fe/m)
    const subject = /^Subject: .*(?:\r\n[ \t].*)*/m.exec(message)![0]
    assert.ok(subject.length < 500, `${subject.length}`)
  })
})

describe('mail to a tenant', () => {
  const contact = { name: 'Contoso Ltd', address: 'admin@webmail.example' }

  it('goes only to its contact, with its own message id', async () => {
    const alert = restricted()
    const [mail] = await sent(alert, { contact })
    assert.deepEqual(mail?.to, ['admin@webmail.example'])
    assert.match(mail.message, /^To: admin@webmail\.example\r$/m)
    assert.ok(mail.message.includes(`Message-ID: <${alert.id}.contact@relay.example>`))
    assert.match(mail.message, /^Auto-Submitted: auto-generated\r$/m)
  })

  it('says what was sent, what follows and what to do', () => {
    const text = contactText(restricted(), 'Contoso Ltd', 'ops@relay.example', SHIPPED_TEXTS)!
    assert.equal(text.subject, 'Mail of Contoso Ltd from unregistered domains is refused')
    const body = text.lines.join('\n')
    assert.match(body, /You had sent to 300 recipients within 1h from unregistered domains\./)
    assert.match(body, /^ {2}sender domain of the last message +bank\.example$/m)
    assert.match(body, /^ {2}it came from +192\.0\.2\.7$/m)
    assert.match(body, /^Write to ops@relay\.example\.\nCase: contoso:1$/m)
  })

  it('comes once, and only for events that a tenant can act on', async () => {
    const kinds: [Alert, boolean][] = [
      [restricted(), true],
      [restricted({ scope: 'all', trigger: undefined }), true],
      [anAlert({ kind: 'lifted' }), true],
      [anAlert({ kind: 'allowance', facts: { percent: 80, ...TRIGGER } }), true],
      [anAlert({ kind: 'unusual', facts: { words: 'much' } }), true],
      [anAlert({ kind: 'resolved' }), false],
      [anAlert({ kind: 'test', tenant: '' }), false],
      [restricted({}, { alert: 'evt_before', count: 9 }), false],
    ]
    for (const [alert, isSent] of kinds) {
      assert.equal((await sent(alert, { contact })).length, isSent ? 1 : 0, alert.kind)
    }
  })

  it('contains no text of an operator and no command', () => {
    const secret = 'as fabrikam, see ticket 4711'
    for (const alert of [
      restricted({ reason: secret, by: secret, scope: 'all' }, { title: secret, next: [secret] }),
      restricted({ reason: secret, by: secret }, { title: secret, next: [secret] }),
      anAlert({ kind: 'lifted', facts: { reason: secret, by: secret }, title: secret }),
    ]) {
      const text = contactText(alert, 'Contoso', 'ops@relay.example', SHIPPED_TEXTS)!
      assert.doesNotMatch(JSON.stringify(text), /fabrikam|4711|tenantctl/)
    }
  })

  it('says that it is about forwarded mail if it is', () => {
    const facts = { percent: 80, ...TRIGGER, meter: 'forwarded' }
    const used = anAlert({ kind: 'allowance', facts })
    const text = contactText(used, 'Contoso', 'ops@relay.example', SHIPPED_TEXTS)!
    assert.match(text.subject, /has used 80 % of its allowance for forwarded mail/)
    const tripped = restricted({ trigger: { ...TRIGGER, meter: 'forwarded' } })
    const lines = contactText(tripped, 'Contoso', 'ops@relay.example', SHIPPED_TEXTS)!.lines.join(
      '\n',
    )
    assert.match(lines, /recipients.* as forwarded mail/)
  })

  it('does not name the owner of a foreign domain', () => {
    const words = '9 recipients … news.fabrikam.com, which belongs to fabrikam-ltd'
    const seen = { recipients: 9, before: 0, domain: 'news.fabrikam.com', owner: 'fabrikam-ltd' }
    const alert = anAlert({ kind: 'unusual', facts: { rule: 'foreign', words, facts: seen } })
    const { lines } = contactText(alert, 'Contoso', 'ops@relay.example', SHIPPED_TEXTS)!
    const text = lines.join('\n')
    assert.match(text, /mail to 9 recipients .* not yours, such as news.fabrikam.com/)
    assert.doesNotMatch(text, /fabrikam-ltd|tenant/)
  })

  it('has lines that a forged name cannot break', () => {
    const forged = 'a\r\nBcc: x@evil.example\u001b[2J\u202e'
    for (const alert of [
      restricted({ trigger: { ...TRIGGER, domain: forged }, case: forged }),
      anAlert({ kind: 'unusual', facts: { words: forged } }),
    ]) {
      const { subject, lines } = contactText(alert, forged, 'ops@relay.example', SHIPPED_TEXTS)!
      // eslint-disable-next-line no-control-regex
      for (const line of [subject, ...lines]) assert.doesNotMatch(line, /[\r\n\u001b\u202e]/)
    }
  })
})
