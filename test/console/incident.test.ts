import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cases } from '../../src/cases/cases'
import { Restrictions } from '../../src/allowance/restriction'
import { removeTenant } from '../../src/operations/remove-tenant'
import { STEPS } from '../../src/cases/case'
import { newConsole } from '../support/console'
import { takeover } from '../support/console-incident'
import { useRedis } from '../support/registry'

useRedis()

const INCIDENT = '/incidents/contoso%3A1'
const BACK = { return_to: INCIDENT }

/** When a page was read, as its forms say it. */
function seenIn(page: string): { readonly seen: string } {
  return { seen: /name="seen" value="(\d+)"/.exec(page)![1]! }
}

describe('the page of an incident', () => {
  it('says whether it goes on, by what, and what to do next', async () => {
    const site = await takeover()
    for (const path of ['/incidents/contoso', INCIDENT]) {
      const page = await site.as('operator').page(path)
      assert.match(page, /yes<\/span>: 21 unregistered recipients in the last 5 minutes, 11\s/)
      assert.match(
        page,
        /98 % of the unregistered recipients came through it \(59 messages for 293/,
      )
      assert.match(page, /web<\/bdi> 59 messages,\s+293 recipients; <bdi class="outside">exchange/)
      assert.match(page, /do this next<\/span><\/p>\s*<h3>Connector web/)
      assert.match(page, /tenantctl connector block contoso web --reason &#39;case contoso:1&#39;/)
      assert.match(page, /href="\/tenants\/contoso\/register\?domain=contoso\.de"/)
      assert.match(page, /value="60\/1h, 300\/1d"/)
      assert.match(page, /connector added/)
    }
    assert.deepEqual(site.faults, [])
  })

  it('goes on to the next step when one is done', async () => {
    const site = await takeover()
    const ann = site.as('operator')
    await site.registry.connectors.block('contoso', 'web', { by: 'ann', reason: 'x' })
    assert.match(await ann.page(INCIDENT), /do this next<\/span><\/p>\s*<p>By name and mail these/)
    const domains = [{ domain: 'contoso.de', subdomains: false, shared: false }]
    await site.registry.domains.add('contoso', domains, 'ann')
    const page = await ann.page(INCIDENT)
    assert.match(page, /do this next<\/span><\/p>\s*<ol class="checklist">/)
    assert.match(page, /Let web relay again/)
  })

  it('sends again only what goes on, and nothing where that is the same', async () => {
    const site = await takeover()
    const ann = site.as('viewer')
    const first = await ann.get(INCIDENT, { 'hx-request': 'true' })
    const text = await first.text()
    assert.match(text, /What goes on now/)
    assert.doesNotMatch(text, /<form|Checklist/)
  })

  it('shows no form to a person who only reads', async () => {
    const page = await (await takeover()).as('viewer').page(INCIDENT)
    assert.doesNotMatch(page, /action="\/(tenants|cases|connectors)/)
    assert.match(page, /98 % of the unregistered recipients/)
  })

  it('says of a closed case who closed it, and leaves nothing to do', async () => {
    const site = await takeover()
    await new Restrictions(site.store).lift('contoso', {
      ...{ by: 'bob', reason: 'fixed', keepUsage: false, seen: 'contoso:1' },
    })
    const cases = new Cases(site.store)
    await cases.noteLift('contoso:1')
    await cases.close('contoso:1', { by: 'bob', text: 'web form' })
    const page = await site.as('operator').page(INCIDENT)
    assert.match(page, /not restricted<\/span> \(mode enforce\); lifted .* by bob: fixed/)
    assert.match(page, /closed<\/span> <time.* by bob: web form/)
    assert.match(page, /contoso is not restricted\./)
    assert.match(page, /No case is open/)
    assert.doesNotMatch(page, /action="\/cases/)
  })

  it('leads from an earlier case to the one by which the tenant is restricted now', async () => {
    const site = await takeover()
    const restrictions = new Restrictions(site.store)
    const act = { by: 'bob', reason: 'again' }
    await restrictions.lift('contoso', { ...act, keepUsage: false, seen: 'contoso:1' })
    await restrictions.place('contoso', { ...act, scope: 'unregistered' })
    const page = await site.as('viewer').page(INCIDENT)
    assert.match(page, /restricted now by\s+<a href="\/incidents\/contoso%3A2">case contoso:2/)
  })

  it('answers for what is not there with a page that says so', async () => {
    const site = await takeover()
    const ann = site.as('viewer')
    for (const [subject, status, words] of [
      ['nobody', 404, /there is no tenant &quot;nobody&quot;/],
      ['contoso:9', 404, /there is no case &quot;contoso:9&quot;/],
      ['contoso:x', 400, /is not the name of a case/],
      ['CON TOSO', 400, /tenant/],
    ] as const) {
      const response = await ann.get(`/incidents/${encodeURIComponent(subject)}`)
      assert.equal(response.status, status, subject)
      assert.match(await response.text(), words)
    }
    await site.registry.tenants.add('gone', {}, 'ann')
    await removeTenant(site.store, 'gone', 'ann')
    const gone = await ann.get('/incidents/gone')
    assert.equal(gone.status, 404)
    assert.match(await gone.text(), /<h1>gone has been removed/)
  })

  it('shows a domain that an attacker chose as text, in every place', async () => {
    const domain = '<b>lure</b>.example" onload="x'
    const site = await takeover({}, domain)
    for (const path of [INCIDENT, '/cases/contoso%3A1', '/cases', '/tenants/contoso/cases']) {
      const page = await site.as('admin').page(path)
      assert.doesNotMatch(page, /<b>lure|" onload=/, path)
    }
    const page = await site.as('admin').page(INCIDENT)
    assert.match(page, /&lt;b&gt;lure/)
    assert.deepEqual(site.faults, [])
  })
})

describe('what is done about an incident', () => {
  it('is ticked, unblocked into probation and closed, and each says what it did', async () => {
    const site = await takeover({ case: { checklist: 'require' } })
    const ann = site.as('operator')
    assert.match(await ann.done('/cases/contoso%3A1/take', BACK), /you are on case contoso:1/)
    for (const [at, step] of STEPS.entries()) {
      const page = await ann.done('/cases/contoso%3A1/check', { ...BACK, step, note: 'done' })
      const left = STEPS.slice(at + 1)
      const words = left.length === 0 ? 'all four are done' : `left: ${left.join(', ')}`
      assert.ok(page.includes(`ticked ${step} of case contoso:1; ${words}`))
      assert.match(page, new RegExp(`case check contoso:1 ${step} --note done`))
    }
    const terms = { ...BACK, reason: 'case contoso:1', limits: '60/1h', for: '7d' }
    const question = await ann.done('/tenants/contoso/unblock', terms)
    assert.match(question, /not yet: it goes on, 21 unregistered recipients/)
    assert.match(question, /on probation: 60\/1h for 7d; its windows start afresh/)
    const page = await ann.done('/tenants/contoso/unblock', { ...terms, confirmed: 'yes' })
    assert.match(page, /unblocked contoso, its windows start afresh/)
    assert.match(page, /on probation: 60\/1h until/)
    assert.match(page, /--limits 60\/1h --for 7d/)
    assert.match(page, /Close case contoso:1<\/button>/)
    assert.match(await ann.done('/cases/contoso%3A1/close', BACK), /closed case contoso:1/)
    const of = await new Cases(site.store).existing('contoso:1')
    assert.equal(of.ticks.get('proof')!.by, 'console:ann')
    assert.equal(of.closed!.by, 'console:ann')
    assert.deepEqual(site.faults, [])
  })

  it('is not unblocked with open steps, unless an admin forces it', async () => {
    const site = await takeover({ case: { checklist: 'require' } })
    const all = { ...BACK, reason: 'x', confirmed: 'yes' }
    const refused = await site.as('operator').post('/tenants/contoso/unblock', all)
    assert.equal(refused.status, 409)
    assert.match(await refused.text(), /case contoso:1 has open steps/)
    const forced = { ...all, force: 'yes' }
    assert.equal((await site.as('operator').post('/tenants/contoso/unblock', forced)).status, 403)
    const page = await site.as('admin').done('/tenants/contoso/unblock', forced)
    assert.match(page, /unblocked contoso/)
  })

  it('asks with what is lost before all mail of a tenant is refused', async () => {
    const site = await takeover()
    const ann = site.as('operator')
    const fields = { ...BACK, reason: 'phishing', all: 'yes' }
    const question = await ann.done('/tenants/contoso/block', fields)
    assert.match(question, /Refuse all mail that contoso relays, from its own domains too\?/)
    assert.match(question, /tenant contoso: 1 domain, 2 connectors; 12 recipients of registered/)
    assert.equal((await new Restrictions(site.store).get('contoso'))!.scope, 'unregistered')
    const page = await ann.done('/tenants/contoso/block', { ...fields, confirmed: 'yes' })
    assert.match(page, /blocked contoso: all mail that it relays is refused/)
    assert.equal((await new Restrictions(site.store).get('contoso'))!.scope, 'all')
  })

  it('is refused with a sentence where a form is wrong', async () => {
    const ann = (await takeover()).as('operator')
    for (const [path, fields, words] of [
      ['/tenants/contoso/block', { reason: ' ' }, /the reason is empty/],
      ['/tenants/nobody/block', { reason: 'x' }, /there is no tenant/],
      ['/tenants/contoso/unblock', { reason: 'x', limits: 'many' }, /many/],
      ['/tenants/contoso/unblock', { reason: 'x', limits: 'unlimited', for: '1d' }, /no probation/],
      ['/tenants/contoso/unblock', { reason: 'x', limits: '5/1h', for: 'soon' }, /soon/],
      ['/cases/contoso%3A1/check', { note: 'x', step: 'all' }, /choose steps of the checklist/],
      ['/cases/contoso%3A1/check', { step: 'proof' }, /the note is empty/],
      ['/cases/contoso%3A1/close', {}, /restricted/],
      ['/cases/contoso%3A7/note', { note: 'x' }, /there is no case &quot;contoso:7&quot;/],
      ['/tenants/contoso/queue/drop', { class: 'spam' }, /is not a class/],
    ] as const) {
      const response = await ann.post(path, fields)
      assert.ok(response.status >= 400 && response.status < 500, path)
      assert.match(await response.text(), words)
    }
  })
})

describe('two people at one incident', () => {
  it('are shown what the other has changed before anything is done', async () => {
    const site = await takeover()
    const [ann, bob] = [site.as('operator'), site.as('operator', 'bob')]
    const seen = seenIn(await ann.page(INCIDENT))
    await bob.post('/cases/contoso%3A1/check', { step: 'connectors', note: 'stopped <b>web</b>' })
    await site.registry.connectors.block('contoso', 'web', { by: 'bob', reason: 'x' })
    const fields = { ...BACK, ...seen, reason: 'all is well' }
    const changed = await ann.done('/tenants/contoso/unblock', fields)
    assert.match(changed, /contoso was changed since you looked/)
    assert.match(changed, /contoso:1:\s+case checked: connectors: stopped &lt;b&gt;web/)
    assert.match(changed, /contoso\/web:\s+connector blocked/)
    assert.match(changed, /\(by root, Redis user default, console:bob\)/)
    assert.match(changed, /<a href="\/incidents\/contoso%3A1">No, go back/)
    assert.ok(await new Restrictions(site.store).get('contoso'), 'nothing was done')
    // Then the question of the action itself follows.
    const question = await ann.done('/tenants/contoso/unblock', { ...fields, ...seenIn(changed) })
    assert.match(question, /Unblock contoso\?/)
    const done = await ann.done('/tenants/contoso/unblock', {
      ...{ ...fields, ...seenIn(question), confirmed: 'yes' },
    })
    assert.match(done, /unblocked contoso/)
    assert.deepEqual(site.faults, [])
  })

  it('are not stopped by what they have changed themselves', async () => {
    const site = await takeover()
    const ann = site.as('operator')
    const seen = seenIn(await ann.page(INCIDENT))
    for (const step of STEPS) {
      const page = await ann.done('/cases/contoso%3A1/check', { ...BACK, ...seen, step, note: 'x' })
      assert.match(page, /ticked/)
    }
  })

  it('do not take a case from each other without saying so', async () => {
    const site = await takeover()
    const [ann, bob] = [site.as('operator'), site.as('operator', 'bob')]
    await ann.post('/cases/contoso%3A1/take')
    const refused = await bob.post('/cases/contoso%3A1/take')
    assert.equal(refused.status, 409)
    assert.match(await refused.text(), /console:ann/)
    assert.match(await bob.page(INCIDENT), /Take it over from console:ann/)
    const page = await bob.done('/cases/contoso%3A1/take', { ...BACK, force: 'yes' })
    assert.match(page, /you are on case contoso:1, taken over from console:ann/)
    assert.match(await ann.done('/cases/contoso%3A1/release', BACK), /bob is no longer on case/)
  })

  it('are stopped by a restriction that was lifted meanwhile, also by a command', async () => {
    const site = await takeover()
    const ann = site.as('operator')
    const seen = seenIn(await ann.page(INCIDENT))
    await new Restrictions(site.store).lift('contoso', {
      ...{ by: 'bob', reason: 'fixed', keepUsage: false, seen: 'contoso:1' },
    })
    const page = await ann.done('/tenants/contoso/block', { ...BACK, ...seen, reason: 'x' })
    assert.match(page, /restriction lifted/)
  })
})

describe('the pages of cases', () => {
  it('list open cases first, and say where all is well', async () => {
    const empty = newConsole()
    assert.match(await empty.as('viewer').page('/cases'), /No case is open/)
    const site = await takeover()
    const page = await site.as('viewer').page('/cases')
    assert.match(page, /<a href="\/cases\/contoso%3A1">contoso:1<\/a>/)
    assert.match(page, /0 of 4/)
    assert.match(await site.as('viewer').page('/tenants/contoso/cases'), /contoso:1/)
  })

  it('show a case with its checklist, notes and what is known', async () => {
    const site = await takeover()
    const ann = site.as('operator')
    const note = { return_to: '/cases/contoso%3A1', note: 'called their admin' }
    const page = await ann.done('/cases/contoso%3A1/note', note)
    assert.match(page, /noted in case contoso:1/)
    assert.match(page, /by console:ann: called their admin/)
    assert.match(page, /lure\.example {2}283 recipients/)
    assert.match(page, /there is no evidence of contoso:1/)
    const print = await ann.get('/cases/contoso%3A1/print')
    assert.equal(print.status, 404)
    assert.deepEqual(site.faults, [])
  })
})
