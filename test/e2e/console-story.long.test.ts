// 3 a.m. in a real browser: from the mail of an alert to the closed case, and the same by commands.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { noBrowser, startBrowser } from '../../scripts/services/browser'
import { startConsole, type TestConsole } from '../../scripts/services/console'
import { waitFor } from '../support'
import { ConsolePerson } from '../support/console-person'
import { LURE, Night, PROBATION } from '../support/night'
import { takePicture } from '../support/picture'
import { REPLY } from '../support/replies'

const NOTES = {
  domains: 'the lure is not theirs, their own is registered',
  connectors: 'their admin knows both',
  servers: 'the form on the web site is closed',
  proof: 'an hour of their log without such mail',
}
/** By name: the page, and what it begins with. */
const PICTURES = {
  overview: ['/'],
  incident: ['/incidents/contoso:1'],
  report: ['/tenants/contoso/report', '#report'],
} as const
const REASON = 'a form on the web site, closed'
/** Where the incident page has what it does not propose. */
const OTHERS = 'Other connectors, or the tenant as a whole'
/** What the intruder has in the queue: the last message has fewer recipients. */
const QUEUED = 24

describe('a takeover, worked through in a browser', { skip: noBrowser }, () => {
  let night: Night
  let console: TestConsole
  let browser: Browser
  let ann: ConsolePerson
  /** What the alert links to. */
  let link: string
  /** Without the way to the first page. */
  let seconds = 0

  before(async () => {
    ;[night, browser] = await Promise.all([Night.begin(), startBrowser()])
    console = await startConsole(night.consoleIni)
    ann = await ConsolePerson.at(browser)
  })
  after(async () => {
    await browser?.close()
    await console?.stop()
    await night?.stop()
  })

  /** A person who has signed in, at a page. */
  async function signedIn(name: string, path: string, options = {}): Promise<ConsolePerson> {
    const person = await ConsolePerson.at(browser, options)
    await person.opens(await console.link('operator', name))
    await person.presses(/^Sign in as /)
    await person.opens(console.url + path)
    return person
  }

  /** The senders of the mail in Haraka's queue. What was dropped is a file without recipients until its turn comes. */
  const queued = (): string[] =>
    night.relay.haraka
      .queued()
      .filter(({ rcptTo }) => rcptTo.length > 0)
      .map(({ mailFrom }) => mailFrom)

  it('the mail of the alert links to the incident, and that link signs nobody in', async () => {
    const { body } = await night.takeOver('contoso')
    link = /http:\S+\/incidents\/\S+/.exec(body)?.[0] ?? ''
    assert.equal(decodeURIComponent(link), `${console.url}/incidents/contoso:1`)
    await ann.opens(link)
    assert.match(await ann.text(), /tenantctl console link/)
    assert.doesNotMatch(await ann.text(), /contoso/)
  })

  it('pictures of it can be made for the docs', async () => {
    const bob = await signedIn('bob', '/')
    for (const [name, [path, from]] of Object.entries(PICTURES)) {
      await bob.opens(console.url + path)
      await bob.page.getByText('hosts are being asked').waitFor({ state: 'hidden' })
      await takePicture(bob.page, name, from)
    }
  })

  it('a link of the console signs in, and the one of the alert leads to the incident', async () => {
    const once = await console.link('operator')
    await ann.opens(once)
    await ann.presses(/^Sign in as ann .*, operator$/)
    await ann.opens(link)
    assert.match(await ann.page.title(), /^Incident of contoso/)
    seconds = -performance.now() / 1000
  })

  it('the incident says that it goes on, and that it comes through the web server', async () => {
    const text = await ann.text()
    for (const said of [
      /^yes: 122 unregistered recipients/m,
      /^web\b.*\b98\.4 %/m,
      /203\.0\.113\.24/,
    ]) {
      assert.match(text, said)
    }
  })

  it('the connector is blocked: its mail is refused at once, and that of the other passes', async () => {
    await ann.presses('Block web')
    assert.match(await ann.text(), /in force on 2 of 2 processes/)
    const { last } = await night.send('contoso/web', { from: 'x@contoso.com', to: 'a@far.example' })
    assert.equal(last.raw, REPLY.connectorBlocked)
    await night.passes('contoso/exchange', 'anna@contoso.com', 'bob@customer.example')
  })

  it('what the intruder sent is dropped from the queue, and honest mail stays', async () => {
    await waitFor(() => queued().filter((each) => each === `win@${LURE}`).length === QUEUED)
    await ann.chooses('Show what would go', 'Connector', '')
    await ann.types('Show what would go', /^Sender domain/, LURE)
    await ann.presses('Show what would go')
    const listed = await ann.text()
    assert.match(listed, /Remove 24 messages for 118 recipients permanently\?/)
    assert.doesNotMatch(listed, /conference\.example/)
    await ann.presses(`Remove ${QUEUED} messages`)
    assert.match(await ann.text(), /removed 24 messages/)
    assert.deepEqual(queued(), ['talks@conference.example'])
  })

  it('its own domain is registered: mail from it passes', async () => {
    await ann.follows('contoso.de')
    assert.match(await ann.text(), /\bown\b/)
    await ann.presses(/^Register /)
    assert.match(await ann.text(), /contoso\.de/)
    await waitFor(async () => {
      const mail = { from: 'orders@contoso.de', to: 'carl@customer.example' }
      return (await night.send('contoso/exchange', mail)).last.code === 250
    })
  })

  it('the four steps are ticked', async () => {
    await ann.opens(link)
    for (const [step, note] of Object.entries(NOTES)) {
      await ann.types(`Tick "${step}"`, 'What was found and done', note)
      await ann.presses(`Tick "${step}"`)
    }
    assert.match(await ann.text(), /all four are done/)
  })

  it('the tenant is unblocked on probation, and its mail passes', async () => {
    await ann.types('Unblock contoso', /^Reason/, REASON)
    await ann.presses('Unblock contoso')
    await ann.presses('Unblock it')
    const done = await ann.text()
    assert.match(done, /in force on 2 of 2 processes/)
    assert.match(done, new RegExp(`on probation: ${PROBATION}/1h until `))
    await night.passes('contoso/exchange', 'talks@conference.example', 'dora@far.example')
  })

  it('the web server relays again, and the case is closed', async () => {
    await ann.unfolds(OTHERS)
    await ann.presses('Let web relay again')
    await ann.types('Close case contoso:1', /^What it was/, REASON)
    await ann.presses('Close case contoso:1')
    assert.match(await ann.text(), /closed case contoso:1/)
    seconds += performance.now() / 1000
    await night.passes('contoso/web', 'shop@contoso.com', 'bob@customer.example')
    assert.deepEqual(ann.faults, [])
  })

  it('the same by commands takes more words', async (t) => {
    await night.takeOver('tailspin')
    const commands = [
      'incident tailspin:1 --show',
      `connector block tailspin web --reason "${REASON}"`,
      `queue tailspin drop --where domain=${LURE} --yes`,
      'suggest tailspin --dns 127.0.0.1:1',
      'domain add tailspin tailspin.de',
      ...Object.entries(NOTES).map(
        ([step, note]) => `case check tailspin:1 ${step} --note "${note}"`,
      ),
      `unblock tailspin --reason "${REASON}" --limits ${PROBATION}/1h --for 7d`,
      `connector unblock tailspin web --reason "${REASON}"`,
      `case close tailspin:1 --note "${REASON}"`,
    ]
    const from = performance.now()
    for (const line of commands) {
      const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(
        ([, quoted, plain]) => quoted ?? plain!,
      )
      await night.types(...words)
    }
    const words = commands.reduce((sum, line) => sum + 1 + line.split(' ').length, 0)
    t.diagnostic(
      `in the browser: ${ann.clicks} clicks, ${ann.words} words, ${seconds.toFixed(1)} s`,
    )
    t.diagnostic(
      `by commands: ${commands.length}, ${words} words, ${((performance.now() - from) / 1000).toFixed(1)} s`,
    )
    assert.ok(ann.words < words / 2)
  })

  it('the smaller allowance of the probation holds', async () => {
    await night.passes(
      'contoso/exchange',
      'talks@conference.example',
      ...night.guests(PROBATION - 1),
    )
    const mail = { from: 'talks@conference.example', to: 'one-more@far.example' }
    assert.equal((await night.send('contoso/exchange', mail)).last.raw, REPLY.blocked)
  })

  it('what a colleague did in between is shown before anything is done', async () => {
    const [one, other] = await Promise.all(
      ['ann', 'bob'].map((name) => signedIn(name, '/incidents/northwind')),
    )
    for (const each of [one!, other!]) await each.unfolds(OTHERS)
    await other!.presses('Block mx')
    await one!.presses('Block northwind')
    const shown = await one!.text()
    assert.match(shown, /northwind was changed since you looked/)
    assert.match(shown, /northwind\/mx: connector blocked.*console:bob/)
    assert.equal(await night.relay.restriction('northwind'), undefined)
    await one!.presses('Go on all the same')
    assert.match(await one!.text(), /in force on 2 of 2 processes/)
    await other!.unfolds(OTHERS)
    await other!.presses('Let mx relay again')
    await other!.presses('Go on all the same')
    await one!.presses('Unblock northwind')
    await one!.presses('Go on all the same')
    await one!.presses('Unblock it')
    assert.equal(await night.relay.restriction('northwind'), undefined)
  })

  it('without script a tenant is blocked and unblocked all the same', async () => {
    const person = await signedIn('cleo', '/incidents/fabrikam', { javaScriptEnabled: false })
    const mail = { from: 'x@elsewhere.example', to: 'a@far.example' }
    await person.unfolds(OTHERS)
    await person.presses('Block fabrikam')
    assert.match(await person.text(), /in force on 2 of 2 processes/)
    assert.equal((await night.send('fabrikam/postfix', mail)).last.raw, REPLY.blocked)
    await person.presses('Unblock fabrikam')
    assert.match(await person.text(), /Unblock fabrikam\?/)
    await person.presses('Unblock it')
    assert.match(await person.text(), /in force on 2 of 2 processes/)
    assert.equal((await night.send('fabrikam/postfix', mail)).last.code, 250)
  })

  it('while Redis is away it shows what was last known and changes nothing, and then goes on', async () => {
    const person = await signedIn('ann', '/incidents/fabrikam')
    const { redis } = night.relay
    await person.unfolds(OTHERS)
    await redis.kill()
    await person.presses('Block fabrikam')
    assert.match(await person.text(), /Nothing was changed|Redis does not answer/)
    await person.opens(`${console.url}/incidents/fabrikam`)
    const known = await person.text()
    assert.match(known, /Redis does not answer: this is what was known at /)
    assert.match(known, /Incident of fabrikam/)
    await redis.restart()
    await waitFor(async () => {
      await person.page.reload()
      return !/Redis does not answer/.test(await person.text())
    })
    assert.equal(await night.relay.restriction('fabrikam'), undefined)
    await person.unfolds(OTHERS)
    await person.presses('Block fabrikam')
    assert.ok(await night.relay.restriction('fabrikam'))
  })

  it('a session ends at sign-out, and a link that was used says what to do', async () => {
    const once = await console.link('viewer', 'dan')
    const person = await ConsolePerson.at(browser)
    await person.opens(once)
    await person.presses(/^Sign in as dan .*, viewer$/)
    await person.opens(link)
    assert.equal(await person.page.getByRole('button', { name: /block/i }).count(), 0)
    await person.presses('Sign out')
    await person.opens(link)
    assert.doesNotMatch(await person.text(), /contoso/)
    await person.opens(once)
    assert.match(await person.text(), /It was used, or is older than ten minutes/)
    assert.match(await person.text(), /tenantctl console link/)
  })
})
