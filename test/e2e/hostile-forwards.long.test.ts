// Messages made to look like forwards, or to be expensive: each gets the right answer in bounded time.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRelay, waitFor, type TestRelay, type TestTenant } from '../support'
import { TestDns } from '../support/dns'
import { REPLY } from '../support/replies'
import { keyZones, sealMessage, signer, signMessage } from '../support/signed'
import { onTop } from '../message/proof/asking'
import { letter } from './table/row'

const NEWS = 'news@bank.example'
const bank = { domain: 'bank.example' }
const sealer = { domain: 'mailbox.example' }
const PASS = 'mailbox.example; dkim=pass header.d=bank.example'

describe('hostile mail of a tenant that may forward', () => {
  let dns: TestDns
  let relay: TestRelay
  before(async () => {
    dns = await TestDns.start({
      ...keyZones([signer(bank), signer(sealer)]),
      'silent._domainkey.bank.example': { trouble: 'silent' },
    })
    relay = await startRelay({
      plugins: ['ask_test_dns', 'relay', 'unregistered-domain', 'test_sink'],
      localPlugins: {
        ask_test_dns: `require('node:dns').setServers(['${dns.address}'])`,
      },
      settings: {
        forwarded: { enabled: true, arc_sealers: sealer.domain },
        foreign: { action: 'refuse' },
      },
    })
  })
  after(async () => {
    await relay?.stop()
    await dns?.stop()
  })

  const newTenant = (id: string, limits = '100/1h'): Promise<TestTenant> =>
    relay.tenant(id, { limits, forwardedLimits: '100/1h' })

  async function send(
    tenant: TestTenant,
    text: string,
    to = 'a@far.example',
    from = NEWS,
  ): Promise<string> {
    const client = await tenant.connect()
    const mail = await client.mail(from)
    if (!mail.positive) return mail.raw
    const rcpt = await client.rcpt(to)
    if (!rcpt.positive) return rcpt.raw
    assert.equal((await client.data()).code, 354)
    const { raw } = await client.message(text)
    await client.quit()
    return raw
  }

  const meters = async (tenant: TestTenant): Promise<number[]> => [
    await tenant.used('forwarded'),
    await tenant.used(),
    await tenant.held(),
  ]

  it('one signed message in bulk: five recipients are proven, the others count, and the tenant trips', async () => {
    const tenant = await newTenant('bulk', '3/1h')
    const text = signMessage(letter(tenant.domain), bank)
    const replies: string[] = []
    // With a new Message-ID and a field on top each time: the signed part is the same.
    for (let copy = 1; copy <= 9; copy++) {
      const varied = onTop(`Message-ID: <${copy}@lure.example>`, text)
      replies.push(await send(tenant, varied, `victim${copy}@far.example`))
    }
    for (const taken of replies.slice(0, 8)) assert.match(taken, /^250 Message Queued /)
    assert.equal(replies[8], REPLY.blocked)
    assert.deepEqual(await meters(tenant), [5, 3, 0])
    assert.equal(await send(tenant, text), REPLY.blocked)
    const classes = relay.haraka.sink
      .messages()
      .map(({ note }) => (note as { class: string }).class)
    assert.deepEqual(classes.slice(-8), [
      ...Array<string>(5).fill('forwarded'),
      ...Array<string>(3).fill('unregistered'),
    ])
  })

  it('one message with two signatures: a copy without one of them proves no more', async () => {
    const tenant = await newTenant('halves')
    const one = signMessage(letter(tenant.domain), bank)
    const both = signMessage(one, { ...bank, headers: ['from', 'to'] })
    for (let copy = 1; copy <= 5; copy++) await send(tenant, both)
    assert.deepEqual(await meters(tenant), [5, 0, 0])
    await send(tenant, one)
    assert.deepEqual(await meters(tenant), [5, 1, 0])
  })

  it('one with a foreign sender is refused once its signature is used up, and not charged', async () => {
    await relay.tenant('neighbour')
    const tenant = await newTenant('beside')
    const text = signMessage(letter(tenant.domain), bank)
    const sent = (): Promise<string> => send(tenant, text, 'a@far.example', 'x@neighbour.example')
    for (let copy = 1; copy <= 5; copy++) assert.match(await sent(), /^250 Message Queued /)
    assert.equal(await sent(), REPLY.foreign)
    await waitFor(async () => (await tenant.used()) === 0)
    assert.deepEqual(await meters(tenant), [5, 0, 0])
  })

  const seals = async (own: string, sets: number): Promise<string> => {
    let text = letter(own)
    for (let set = 1; set <= sets; set++)
      text = await sealMessage(text, { ...sealer, results: PASS })
    return text
  }
  const wide = (kilobytes: number, text: string): string =>
    onTop(
      Array.from({ length: kilobytes }, (_, at) => `X-${at}: ${'y'.repeat(990)}`).join('\r\n'),
      text,
    )

  const cases: readonly [string, (own: string) => string | Promise<string>, string | null][] = [
    [
      'a thousand signatures',
      (own) =>
        onTop(
          Array.from({ length: 980 }, () => 'DKIM-Signature: v=1; a=rsa-sha256; b=AAAA').join(
            '\r\n',
          ),
          signMessage(letter(own), bank),
        ),
      'too many signatures',
    ],
    ['a header of 250 KB', (own) => wide(250, signMessage(letter(own), bank)), null],
    ['a header of 300 KB', (own) => wide(300, signMessage(letter(own), bank)), 'header unreadable'],
    ['an ARC chain of 20', (own) => seals(own, 20), null],
    ['an ARC chain of 50', (own) => seals(own, 50), 'too many seals'],
    [
      'a key that DNS never gives',
      (own) => signMessage(letter(own), { ...bank, selector: 'silent' }),
      // The resolver's wait before its second try is about as long as ours.
      'out of time|dns failure',
    ],
  ]
  for (const [at, [what, make, reason]] of cases.entries()) {
    it(`${what}: ${reason ?? 'a forward'}, and it is accepted`, async () => {
      const tenant = await newTenant(`case-${at}`)
      assert.match(await send(tenant, await make(tenant.domain)), /^250 Message Queued /)
      assert.deepEqual(await meters(tenant), reason === null ? [1, 0, 0] : [0, 1, 0])
      if (reason === null) return
      const line = relay.haraka.log
        .split('\n')
        .find((each) => each.includes('] charged ') && each.includes(`tenant=${tenant.id} `))
      assert.match(line ?? '', new RegExp(`none: (?:${reason})"`))
    })
  }

  it('more than there is time for: the rest is deferred and not counted, and no other tenant waits', async () => {
    const hog = await newTenant('hog', '1000/1h')
    const other = await newTenant('beside-hog')
    const text = signMessage(letter(hog.domain), { ...bank, selector: 'silent' })
    const hogs = Array.from({ length: 120 }, () => send(hog, text))
    let answered = 0
    for (const each of hogs) void each.then(() => answered++)
    const asked = (): number => dns.asked.filter((each) => each.includes('silent')).length
    const before = asked()
    await waitFor(() => asked() > before)
    assert.match(await send(other, signMessage(letter(other.domain), bank)), /^250 /)
    assert.deepEqual(await meters(other), [1, 0, 0])
    assert.equal(answered, 0)
    const replies = await Promise.all(hogs)
    const deferred = replies.filter((reply) => reply === REPLY.undecidable).length
    assert.ok(deferred > 0)
    assert.deepEqual(new Set(replies.map((reply) => reply.slice(0, 3))), new Set(['250', '451']))
    await waitFor(async () => (await hog.held()) === 0)
    assert.deepEqual(await meters(hog), [0, replies.length - deferred, 0])
    assert.equal(await hog.restriction(), undefined)
    const line = `undecided tenant=hog .*reason="no turn for a proof" verdict=tempfail`
    assert.match(relay.haraka.log, new RegExp(line))
  })

  it('all of these at once do not block others permanently', async () => {
    const tenant = await newTenant('all')
    const texts = await Promise.all(cases.map(async ([, make]) => make(tenant.domain)))
    const hostile = texts.map((text) => send(tenant, text))
    const other = await newTenant('other')
    const sent = await other.send({ from: `ann@${other.domain}`, to: 'a@far.example' })
    assert.equal(sent.delivered, true)
    for (const reply of await Promise.all(hostile)) assert.match(reply, /^250 Message Queued /)
    assert.deepEqual(await meters(tenant), [2, 4, 0])
  })
})
