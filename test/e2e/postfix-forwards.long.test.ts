// A mailbox on a tenant's own Postfix that forwards mail from outside, with the outside sender, through the relay.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  noPostfix,
  startOpenDkim,
  startPostfix,
  startRelay,
  type DeliveredMessage,
  type TestPostfix,
  type TestRelay,
  type TestTenant,
} from '../support'
import { TestDns } from '../support/dns'
import { throughRelay } from '../support/hybrid'
import { REPLY } from '../support/replies'
import { keyZones, sealMessage, signer, signMessage } from '../support/signed'

const PUPIL = 'pupil@contoso.example'
/** The address that her mail is forwarded to. */
const PRIVATE = 'pupil@private.example'
const SENDER = 'news@outside.example'

const outside = signer({ domain: 'outside.example' })
const list = signer({ domain: 'lists.example' })

describe('what a Postfix forwards through the relay', { skip: noPostfix }, () => {
  let dns: TestDns
  let relay: TestRelay
  let contoso: TestTenant
  let postfix: TestPostfix
  before(async () => {
    dns = await TestDns.start(keyZones([outside, list]))
    relay = await startRelay({
      plugins: ['ask_test_dns', 'relay', 'unregistered-domain', 'test_sink'],
      localPlugins: {
        ask_test_dns: `require('node:dns').setServers(['${dns.address}'])`,
      },
      settings: { forwarded: { enabled: true, arc_sealers: 'lists.example' } },
    })
    contoso = await relay.tenant('contoso', { limits: '100/1h' })
    await relay.registry.tenants.set('contoso', { forwardedLimits: '100/1h' })
    postfix = await startPostfix({
      mainCf: throughRelay(contoso),
      mailboxes: [PUPIL],
      forwards: { [PUPIL]: PRIVATE },
    })
  })
  after(async () => {
    await postfix?.stop()
    await relay?.stop()
    await dns?.stop()
  })

  /** A message as its author sends it. */
  function message(subject: string, more = ''): string {
    return [
      `From: News <${SENDER}>`,
      `To: ${PUPIL}`,
      `Subject: ${subject}`,
      'Date: Sun, 29 Nov 2026 08:00:00 +0000',
      `Message-ID: <${subject.replaceAll(' ', '-')}@outside.example>`,
      ...(more ? [more] : []),
      '',
      'The school trip is on Friday.',
      '',
    ].join('\r\n')
  }

  /** A server outside brings a message to the Postfix of its recipient. */
  async function bring(
    text: string,
    { on = postfix, recipient = PUPIL }: { on?: TestPostfix; recipient?: string } = {},
  ): Promise<void> {
    const client = await on.connect()
    await client.mail(SENDER)
    await client.rcpt(recipient)
    await client.data()
    const reply = await client.message(text)
    await client.quit()
    assert.equal(reply.code, 250)
  }

  /** Waits until it has been forwarded; returns its class, and what it added to both meters. */
  async function forwarded(subject: string, bringIt: () => Promise<void>) {
    const meters = async () => [await contoso.used('forwarded'), await contoso.used()]
    const before = await meters()
    await bringIt()
    const { mailFrom, rcptTo, note }: DeliveredMessage = await relay.haraka.sink.waitFor(
      (each) => each.subject === subject,
    )
    assert.deepEqual({ mailFrom, rcptTo }, { mailFrom: SENDER, rcptTo: [PRIVATE] })
    const after = await meters()
    const [asForwarded, asUnregistered] = after.map((used, at) => used - before[at]!)
    return { class: (note as { class: string }).class, asForwarded, asUnregistered }
  }

  const PROVEN = { class: 'forwarded', asForwarded: 1, asUnregistered: 0 }
  const UNPROVEN = { class: 'unregistered', asForwarded: 0, asUnregistered: 1 }

  const cases: [string, string, (subject: string) => string | Promise<string>, object][] = [
    ['as it was signed', 'Trip', (s) => signMessage(message(s), outside), PROVEN],
    [
      'with another body than was signed',
      'Trip with a footer',
      (s) => `${signMessage(message(s), outside)}-- \r\nA footer of the list\r\n`,
      UNPROVEN,
    ],
    [
      'with another subject than was signed, as mailing lists do',
      '[parents] Trip',
      (s) => signMessage(message('Trip'), outside).replace('Subject: Trip', `Subject: ${s}`),
      UNPROVEN,
    ],
    [
      'changed, and sealed by a trusted list',
      '[parents] Sealed trip',
      (s) =>
        sealMessage(signMessage(message('Sealed trip'), outside).replace('Sealed trip', s), {
          ...list,
          results:
            'lists.example; dkim=pass header.d=outside.example; dmarc=pass header.from=outside.example',
        }),
      PROVEN,
    ],
    [
      'changed, and sealed by an untrusted list',
      '[parents] Strange trip',
      (s) =>
        sealMessage(signMessage(message('Strange trip'), outside).replace('Strange trip', s), {
          ...outside,
          results: 'outside.example; dkim=pass header.d=outside.example',
        }),
      UNPROVEN,
    ],
    ['not signed', 'Plain trip', (s) => message(s), UNPROVEN],
  ]
  for (const [how, subject, make, expected] of cases) {
    it(`is ${expected === PROVEN ? 'a forward' : 'unregistered mail'} ${how}`, async () => {
      const text = await make(subject)
      assert.deepEqual(await forwarded(subject, () => bring(text)), expected)
    })
  }

  it('is a forward when OpenDKIM has signed it on the way out of its author’s Postfix', async (t) => {
    const opendkim = await startOpenDkim(outside)
    t.after(() => opendkim.stop())
    const authors = await startPostfix({
      mainCf: `${opendkim.mainCf}relayhost = [127.0.0.1]:${postfix.port}\n`,
    })
    t.after(() => authors.stop())
    const result = await forwarded('By OpenDKIM', async () => {
      const mail = { from: SENDER, to: PUPIL, subject: 'By OpenDKIM', body: 'On Friday.' }
      await authors.submit({ ...mail, headers: { 'X-Mailer': 'test' } })
    })
    assert.deepEqual(result, PROVEN)
  })

  it('is refused at the end of DATA where it is not a forward and past the allowance, and its author gets a bounce', async (t) => {
    const fabrikam = await relay.tenant('fabrikam', { limits: '1/1h' })
    await relay.registry.tenants.set('fabrikam', { forwardedLimits: '5/1h' })
    const teacher = 'teacher@fabrikam.example'
    const server = await startPostfix({
      mainCf: throughRelay(fabrikam),
      mailboxes: [teacher],
      forwards: { [teacher]: 'teacher@private.example' },
    })
    t.after(() => server.stop())
    const to = (subject: string): string => message(subject).replaceAll(PUPIL, teacher)
    await bring(to('First'), { on: server, recipient: teacher })
    await relay.haraka.sink.waitFor(({ subject }) => subject === 'First')
    await bring(signMessage(to('Proven'), outside), { on: server, recipient: teacher })
    await relay.haraka.sink.waitFor(({ subject }) => subject === 'Proven')
    assert.equal(await fabrikam.restriction(), undefined)

    await bring(to('Second'), { on: server, recipient: teacher })
    const [, said] = await server.waitForLog(/ status=bounced \(host .* said: (.*)\)\n/)
    assert.equal(said, `${REPLY.blocked.trim()} (in reply to end of DATA command)`)
    const report = await relay.haraka.sink.waitFor(({ mailFrom }) => mailFrom === '')
    assert.deepEqual(report.rcptTo, [SENDER])
    assert.ok(await fabrikam.restriction())

    // Proven or not: only registered mail goes out now.
    const from = server.log.length
    await bring(signMessage(to('Third'), outside), { on: server, recipient: teacher })
    const [, then] = await server.waitForLog(/ status=bounced \(host .* said: (.*)\)\n/, { from })
    assert.ok(then?.startsWith(REPLY.blocked.trim()), then)
    assert.deepEqual([await fabrikam.used(), await fabrikam.used('forwarded')], [1, 1])
  })

  it('asks no other name server', () => {
    const names = new Set(dns.asked.map((question) => question.split(' ')[1]))
    const known = ['s1._domainkey.lists.example', 's1._domainkey.outside.example']
    assert.deepEqual([...names].sort(), known)
  })
})
