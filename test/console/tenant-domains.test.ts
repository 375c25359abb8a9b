import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readTenantAudit } from '../../src/audit/reader'
import { useRedis } from '../support/registry'
import { domain, newTenants } from './tenant-site'

useRedis()

const ADD = '/tenants/contoso/domains/add'
const REMOVE = '/tenants/contoso/domains/remove'

describe('the accepted domains of a tenant in the console', () => {
  it('are listed with their flags, and in Unicode beside the A-label', async () => {
    const { as, registry } = await newTenants()
    const shared = { domain: 'xn--mnchen-3ya.example', subdomains: true, shared: true }
    await registry.domains.add('contoso', [shared], 'erik')
    const page = await as('viewer').page('/tenants/contoso/domains')
    assert.match(page, />contoso\.com<\/bdi><\/td>.*?>no<.*?>no<.*?<time.*?>dora</s)
    assert.match(page, /xn--mnchen-3ya\.example<\/bdi> \(<bdi class="outside">münchen\.example/)
    assert.match(page, /2 domains/)
    assert.match(page, /method="get" action="\/tenants\/contoso\/register"/)
  })

  it('are added by an admin, all or none, and the command is shown', async () => {
    const { as, registry, store } = await newTenants()
    const done = await as('admin', 'ann').done(ADD, {
      domains: 'one.example, zwei.example',
      subdomains: 'yes',
    })
    assert.match(done, /<p>added one\.example to contoso<\/p>/)
    assert.match(done, /<p>added zwei\.example to contoso<\/p>/)
    assert.match(done, /tenantctl domain add contoso one\.example zwei\.example --subdomains</)
    const [added] = (await registry.domains.list('contoso')).slice(-1)
    assert.equal(added?.addedBy, 'console:ann')
    const [entry] = (await readTenantAudit(store, 'contoso', 0)).slice(-1)
    assert.equal(entry?.note, 'console:ann')
  })

  it('are refused in a sentence, and then none is added', async () => {
    const { as, registry } = await newTenants()
    for (const [fields, status, says] of [
      [{ domains: 'new.example fabrikam.com' }, 409, /fabrikam\.com.*fabrikam/],
      [{ domains: 'gmail.com' }, 409, /anybody can get an address at a mailbox provider/],
      [{ domains: 'contoso.com', subdomains: 'yes' }, 409, /is registered for contoso without/],
      [{ domains: 'co.uk' }, 400, /is a public suffix/],
      [{ domains: 'corp.local' }, 400, /outside the public DNS/],
      [{ domains: '*.contoso.com' }, 400, /is a wildcard/],
      [{ domains: ' ' }, 400, /no domain was given/],
    ] as const) {
      const answer = await as('admin').post(ADD, fields)
      assert.equal(answer.status, status, fields.domains)
      assert.match(await answer.text(), says)
    }
    assert.equal((await registry.domains.list('contoso')).length, 1)
    const forced = await as('admin').done(ADD, { domains: 'gmail.com', force: 'yes' })
    assert.match(forced, /added gmail\.com/)
    assert.match(forced, /domain add contoso gmail\.com --force/)
    assert.match(await as('admin').done(ADD, { domains: 'corp.local', shared: 'yes' }), /--shared</)
  })

  it('count with or without the names below them, changed in place', async () => {
    const { as, registry } = await newTenants()
    const path = '/tenants/contoso/domains/subdomains'
    const done = await as('admin').done(path, { domains: 'contoso.com', subdomains: 'yes' })
    assert.match(done, /contoso\.com of contoso: now with subdomains/)
    assert.match(done, /domain set contoso contoso\.com --subdomains/)
    assert.equal((await registry.domains.list('contoso'))[0]?.subdomains, true)
    const back = await as('admin').done(path, { domains: 'contoso.com' })
    assert.match(back, /now without subdomains/)
    const none = await as('admin').post(path, { domains: 'none.example' })
    assert.equal(none.status, 404)
    assert.match(await none.text(), /none\.example: not registered for contoso/)
  })

  it('are removed only after a question that says what that means', async () => {
    const { as, registry } = await newTenants()
    const asked = await as('admin').done(REMOVE, { domains: 'contoso.com' })
    assert.match(asked, /Remove contoso\.com from contoso\?/)
    assert.match(asked, /contoso has 1 accepted domain; these go: contoso\.com/)
    assert.match(asked, /mail from them is unregistered from then on/)
    assert.equal((await registry.domains.list('contoso')).length, 1)
    const fields = { domains: 'contoso.com', confirmed: 'yes' }
    assert.match(await as('admin').done(REMOVE, fields), /removed contoso\.com from contoso/)
    assert.equal((await as('admin').post(REMOVE, fields)).status, 404)
    const page = await as('viewer').page('/tenants/contoso/domains')
    assert.match(page, /has no accepted domains: all its mail is unregistered/)
  })

  it('are shown in parts where there are many, by name', async () => {
    const { as, registry } = await newTenants()
    const names = Array.from({ length: 1200 }, (_, at) => `n${String(at).padStart(4, '0')}.example`)
    await registry.domains.add('contoso', names.map(domain), 'dora')
    const page = await as('viewer').page('/tenants/contoso/domains')
    assert.match(page, /500 domains of 1,201, by name/)
    assert.match(page, /n0498\.example/)
    assert.doesNotMatch(page, /n0499\.example<\/bdi>/)
    const next = /href="([^"]*)">The following domains/.exec(page)?.[1]
    assert.equal(next, '/tenants/contoso/domains?from=n0499.example')
    assert.match(await as('viewer').page(next), /n0499\.example.*n0998\.example/s)
    const few = await as('viewer').page('/tenants/contoso/domains?begins=n110')
    assert.match(few, /10 domains of 1,201/)
    assert.doesNotMatch(few, /The following domains/)
    const none = await as('viewer').page('/tenants/contoso/domains?begins=*')
    assert.match(none, /No accepted domain of Contoso Ltd begins so, of 1,201/)
  })
})
