import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { parseTemplate } from '../../src/alerts/contact-template'
import {
  ContactTemplates,
  templateMistakes,
  type SiteTexts,
} from '../../src/alerts/contact-templates'
import { contactText } from '../../src/alerts/contact-text'
import { ContactChannel } from '../../src/alerts/mail'
import type { MailText } from '../../src/alerts/mail-text'
import type { Alert } from '../../src/records/event'
import { anAlert } from '../support/alerts'

const TRIGGER = {
  ...{ domain: 'bank.example', connector: 'contoso/mx', ip: '192.0.2.7' },
  ...{ window: 3_600_000, limit: 300, used: 300 },
}
const GERMAN = `Subject: Post von {{tenant}} wird abgelehnt

Sie haben an {{recipients}} Empfänger in {{window}} gesendet.
Absender: {{domain}} über {{connector}} von {{address}}

{{signature}}
`

/** A site with texts of its own. */
function site(texts: Readonly<Record<string, string>>): SiteTexts {
  const directory = scratchDir('texts')
  for (const [name, text] of Object.entries(texts)) writeFileSync(path.join(directory, name), text)
  return { directory, read: readFileSync }
}

function restricted(facts: object = {}): Alert {
  return anAlert({
    facts: { scope: 'unregistered', case: 'contoso:1', trigger: TRIGGER, ...facts },
  })
}

function mailOf(texts: SiteTexts, alert: Alert, name = 'Contoso'): MailText & { broken: string[] } {
  const broken: string[] = []
  const templates = new ContactTemplates(
    () => texts,
    (message) => broken.push(message),
  )
  return { ...contactText(alert, name, 'ops@relay.example', templates)!, broken }
}

describe('the texts of a site to contacts', () => {
  it('replace the shipped ones, and name the operator', () => {
    const texts = site({
      'restricted.txt': GERMAN,
      'signature.txt': 'Relais GmbH, Telefon +49 30 1234, Fall {{case}}\n',
    })
    const { subject, lines, broken } = mailOf(texts, restricted())
    assert.equal(subject, 'Post von Contoso wird abgelehnt')
    assert.deepEqual(lines, [
      'Sie haben an 300 Empfänger in 1h gesendet.',
      'Absender: bank.example über contoso/mx von 192.0.2.7',
      '',
      'Relais GmbH, Telefon +49 30 1234, Fall contoso:1',
    ])
    assert.deepEqual(broken, [])
    assert.deepEqual(templateMistakes(texts), [])
    // The part of the site is in the shipped mails, too.
    const lifted = mailOf(texts, anAlert({ kind: 'lifted', facts: { case: 'contoso:1' } }))
    assert.equal(lifted.subject, 'Mail of Contoso is accepted again')
    assert.equal(lifted.lines.at(-1), 'Relais GmbH, Telefon +49 30 1234, Fall contoso:1')
  })

  it('leave out lines about what is not known', () => {
    const { lines } = mailOf(site({ 'restricted.txt': GERMAN }), restricted({ trigger: undefined }))
    assert.deepEqual(lines.slice(0, 2), ['', 'Write to ops@relay.example.'])
  })

  it('are of the meter that the mail is about', () => {
    const texts = site({
      'allowance.txt': 'Subject: {{percent}} %\n\nunregistriert\n',
      'allowance-forwarded.txt': 'Subject: {{percent}} %\n\nweitergeleitet\n',
    })
    const used = (meter?: string): string[] => {
      const facts = { percent: 80, ...TRIGGER, ...(meter && { meter }) }
      return [...mailOf(texts, anAlert({ kind: 'allowance', facts })).lines]
    }
    assert.deepEqual(used(), ['unregistriert'])
    assert.deepEqual(used('forwarded'), ['weitergeleitet'])
    // Without a text of its own, the shipped one.
    assert.match(used('null').join('\n'), /an empty\nsender \(MAIL FROM:<>\)/)
  })

  it('interpret nothing that a sender or a tenant wrote', () => {
    const texts = site({ 'restricted.txt': GERMAN })
    const hostile = { ...TRIGGER, domain: '{{case}}', connector: '{{signature}}', ip: 'a\r\nb$&' }
    const mail = mailOf(
      texts,
      restricted({ trigger: hostile }),
      'x\r\nBcc: y@evil.example {{case}}',
    )
    assert.match(mail.subject, /^Post von x ?Bcc: y@evil\.example \{\{case\}\} wird abgelehnt$/)
    assert.match(mail.lines[1]!, /^Absender: \{\{case\}\} über \{\{signature\}\} von a ?b\$&$/)
  })

  it('give way to the shipped ones where they are broken, and the mistake is named', () => {
    for (const [text, message] of [
      [
        GERMAN.replace('{{window}}', '{{windows}}'),
        /restricted\.txt:3: \{\{windows\}\} is no variable/,
      ],
      [GERMAN.replace('{{window}}', '{{window'), /restricted\.txt:3: \{\{ is no variable/],
      [
        GERMAN.replace('Subject', 'Betreff'),
        /restricted\.txt:1: does not begin with "Subject: TEXT"/,
      ],
      [GERMAN.replace('\n\n', '\n'), /restricted\.txt:1: does not begin/],
      ['', /restricted\.txt:1: does not begin/],
    ] as const) {
      const texts = site({ 'restricted.txt': text })
      const { subject, broken } = mailOf(texts, restricted())
      assert.equal(subject, 'Mail of Contoso from unregistered domains is refused')
      assert.match(broken.join('\n'), message)
      assert.match(templateMistakes(texts).join('\n'), message)
    }
    const [unknown] = templateMistakes(site({ 'restrictd.txt': GERMAN }))
    assert.match(unknown!, /^restrictd\.txt: no mail is called so; there are restricted, /)
    const gone = site({})
    rmSync(gone.directory, { recursive: true })
    assert.match(templateMistakes(gone).join(), /ENOENT/)
    const folder = site({})
    mkdirSync(path.join(folder.directory, 'restricted.txt'))
    assert.equal(templateMistakes(folder).length, 1)
    assert.equal(mailOf(folder, restricted()).broken.length, 1)
  })

  it('cannot add a header', async () => {
    const texts = site({ 'restricted.txt': 'Subject: a\u0085Bcc: x@evil.example\u000b\n\nb\n' })
    const sent: string[] = []
    const settings = { webhook: '', webhookSecret: undefined, mailTo: ['o@relay.example'] }
    const way = {
      settings: () => ({ ...settings, mailFrom: '', contactTemplates: '' }),
      ...{ host: 'relay.example', templates: new ContactTemplates(() => texts, assert.fail) },
      send: (_to: readonly string[], message: string) => Promise.resolve(void sent.push(message)),
    }
    const contact = { name: 'Contoso', address: 'admin@webmail.example' }
    const mailed = (): Promise<undefined> => Promise.resolve(undefined)
    await new ContactChannel(way, () => Promise.resolve(contact), mailed).deliver(restricted())
    assert.doesNotMatch(sent[0]!, /^Bcc/im)
  })
})

describe('the shipped texts to contacts', () => {
  it('are templates without a mistake', () => {
    const directory = path.resolve('config/contact-mail')
    assert.deepEqual(templateMistakes({ directory, read: readFileSync }), [])
    assert.throws(() => parseTemplate('a.txt', 'Subject: {{x}}\n\n', true), /a\.txt:1: \{\{x\}\}/)
  })
})
