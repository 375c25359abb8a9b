// How the users of a tenant's own Postfix see a refusal: the non-delivery report in their mailbox.
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import {
  noPostfix,
  startHaraka,
  startPostfix,
  startRelay,
  type TestHaraka,
  type TestPostfix,
  type TestRelay,
  type TestTenant,
} from '../support'
import { documented } from '../support/documented'
import { reportFor, throughRelay } from '../support/hybrid'

/** An application with an unregistered domain; its mailbox is on the Postfix. */
const SCANNER = 'scanner@printing.example'

const BLOCKED =
  '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains'

/** Collapses white space: Postfix folds lines by the length of names. */
const plain = (text: string): string => text.replace(/\s+/g, ' ')

describe('non-delivery reports of Postfix', { skip: noPostfix }, () => {
  let relay: TestRelay
  /** On the same Redis, with `refuse_at=rcpt`. */
  let atRcpt: TestHaraka
  before(async () => {
    relay = await startRelay()
    atRcpt = await startHaraka({
      redis: relay.redis,
      settings: { main: { refuse_at: 'rcpt' } },
    })
  })
  after(async () => {
    await atRcpt?.stop()
    await relay?.stop()
  })

  async function postfixOf(
    t: TestContext,
    tenant: TestTenant,
    {
      on = relay.haraka,
      forwards = {},
    }: { on?: TestHaraka; forwards?: Record<string, string> } = {},
  ): Promise<TestPostfix> {
    const mailboxes = [SCANNER, `anna@${tenant.domain}`, ...Object.keys(forwards)]
    const postfix = await startPostfix({ mainCf: throughRelay(tenant, on), mailboxes, forwards })
    t.after(() => postfix.stop())
    return postfix
  }

  it('carry the exact reply, only for the recipient past the allowance', async (t) => {
    const tenant = await relay.tenant('contoso', { limits: '2/1h' })
    const postfix = await postfixOf(t, tenant)
    // Postfix sorts them so.
    const to = ['1@far.example', '2@far.example', '3@far.example']
    await postfix.submit({ from: SCANNER, to, subject: 'Scan' })

    const report = await reportFor(postfix, SCANNER, '3@far.example')
    assert.equal(report.to, SCANNER)
    assert.equal(report.recipients.length, 1)
    const [failed] = report.recipients
    assert.equal(failed?.get('action'), 'failed')
    assert.equal(failed?.get('status'), '5.7.750')
    assert.equal(failed?.get('diagnostic-code'), `smtp; ${BLOCKED}`)
    const [text = '', fields = ''] = documented('docs/hybrid.md', 'What its users see')
    const here = (part: string): string =>
      plain(part.replace('relay.example[192.0.2.25]', '127.0.0.1[127.0.0.1]')).replace(
        'dns; relay.example',
        'dns; 127.0.0.1',
      )
    const written = plain(postfix.mailbox(SCANNER)[0] ?? '')
    assert.ok(written.includes(here(text)), written)
    assert.ok(written.includes(here(fields)), written)
    const delivered = await relay.haraka.sink.waitFor(({ mailFrom }) => mailFrom === SCANNER)
    assert.deepEqual(delivered.rcptTo, ['1@far.example', '2@far.example'])
    assert.equal(await tenant.used(), 2)
    assert.ok(await tenant.restriction())

    // Restricted: Postfix is refused at MAIL from now on, and its users with registered addresses go on.
    await postfix.submit({ from: SCANNER, to: '4@far.example', subject: 'Scan' })
    const second = await reportFor(postfix, SCANNER, '4@far.example')
    assert.equal(second.recipients[0]?.get('diagnostic-code'), `smtp; ${BLOCKED}`)
    assert.match(plain(second.text), /\(in reply to MAIL FROM command\)/)
    await postfix.submit({ from: 'anna@contoso.example', to, subject: 'Minutes' })
    const registered = await relay.haraka.sink.waitFor(({ subject }) => subject === 'Minutes')
    assert.deepEqual(registered.rcptTo, to)

    const from = relay.haraka.log.length
    await relay.lift('contoso')
    await relay.haraka.waitForLog(/unblocked tenant=contoso/, { from })
    await postfix.submit({ from: SCANNER, to: '5@far.example', subject: 'After' })
    await relay.haraka.sink.waitFor(({ subject }) => subject === 'After')
    await postfix.waitForEmptyQueue()
    assert.equal(postfix.mailbox(SCANNER).length, 2)
    assert.deepEqual(postfix.mailbox('anna@contoso.example'), [])
  })

  it('are delivered to a sender outside through the relay, from the null sender, and counted apart', async (t) => {
    const tenant = await relay.tenant('northwind', { limits: '0/1h' })
    const pupil = 'pupil@northwind.example'
    const postfix = await postfixOf(t, tenant, { forwards: { [pupil]: 'pupil@private.example' } })
    await postfix.submit({ from: 'aunt@outside.example', to: pupil, subject: 'Hello' })
    const report = await relay.haraka.sink.waitFor(
      ({ rcptTo, mailFrom }) => mailFrom === '' && rcptTo.includes('aunt@outside.example'),
    )
    assert.deepEqual(report.note, {
      ...(report.note as object),
      tenant: 'northwind',
      connector: 'northwind/mx',
      class: 'null',
    })
    assert.deepEqual([await tenant.used(), await tenant.used('null')], [0, 1])
  })

  for (const [at, host, own] of [
    ['mail', () => relay.haraka, false],
    ['rcpt', () => atRcpt, true],
  ] as const) {
    it(`of mail to inside and outside: with refuse_at=${at} the inside ${own ? 'gets' : 'does not get'} it`, async (t) => {
      const id = `fabrikam-${at}`
      const tenant = await relay.tenant(id, { domains: [`${id}.example`, `cloud-${id}.example`] })
      await host().attributed(tenant.session, `${id}/mx`, `probe@${tenant.domain}`)
      await relay.restrictions.place(id, { by: 'test', reason: 'spam', scope: 'unregistered' })
      const postfix = await postfixOf(t, tenant, { on: host() })
      // Its mailbox is not on the Postfix, but in the cloud, behind the relay.
      const inside = `head@cloud-${id}.example`
      await postfix.submit({ from: SCANNER, to: ['out@far.example', inside], subject: id })

      const report = await reportFor(postfix, SCANNER, 'out@far.example')
      const failed = report.recipients.map((fields) => [
        fields.get('final-recipient'),
        fields.get('status'),
        fields.get('diagnostic-code'),
      ])
      const lost = own ? ['out@far.example'] : [inside, 'out@far.example']
      assert.deepEqual(
        failed,
        lost.map((address) => [`rfc822; ${address}`, '5.7.750', `smtp; ${BLOCKED}`]),
      )
      await postfix.waitForEmptyQueue()
      const delivered = host()
        .sink.messages()
        .filter(({ subject }) => subject === id)
      assert.deepEqual(
        delivered.map(({ rcptTo }) => rcptTo),
        own ? [[inside]] : [],
      )
      assert.equal(await tenant.used(), 0)
    })
  }

  it('are not needed where Postfix rewrites the sender, as docs/hybrid.md has it', async (t) => {
    const tenant = await relay.tenant('wingtip', { domains: ['contoso.com'], limits: '0/1h' })
    const [lines = ''] = documented('docs/hybrid.md', 'Another sender on the way out')
    const postfix = await startPostfix({ mainCf: throughRelay(tenant) + lines })
    t.after(() => postfix.stop())
    await postfix.submit({
      from: 'hall@printing.local',
      to: 'bob@far.example',
      subject: 'Rewritten',
    })
    const sent = await relay.haraka.sink.waitFor(({ subject }) => subject === 'Rewritten')
    assert.equal(sent.mailFrom, 'scanner@contoso.com')
    assert.deepEqual(sent.note, {
      ...(sent.note as object),
      tenant: 'wingtip',
      class: 'registered',
    })
  })
})
