import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readTenantAudit } from '../../src/audit/reader'
import { Restrictions } from '../../src/allowance/restriction'
import { useRedis } from '../support/registry'
import { charge, newTenants } from './tenant-site'

useRedis()

const CHANGED = /<p>changed tenant contoso<\/p>/

describe('the pages of a tenant', () => {
  it('show its name, state, mode and meters on top of each of them', async () => {
    const { as, store, faults } = await newTenants()
    await charge(store, 127)
    for (const tab of ['', '/domains', '/connectors', '/audit', '/settings']) {
      const page = await as('viewer').page(`/tenants/contoso${tab}`)
      assert.match(page, /Contoso Ltd <small>contoso<\/small>/)
      assert.match(page, /not restricted/)
      assert.match(page, /enforce \(default\)/)
      assert.match(page, /<meter[^>]*max="300"[^>]*value="127"/s)
      assert.match(page, /unregistered mail: 127 of 300 recipients in 1h, 42 %/)
      assert.match(page, /restricted in \d+m: 300 in 1h by/)
      assert.match(page, /aria-current="page"/)
    }
    assert.deepEqual(faults, [])
  })

  it('lead to the incident of a restricted tenant', async () => {
    const { as, store } = await newTenants()
    await charge(store, 301)
    const page = await as('viewer').page('/tenants/contoso')
    assert.match(page, /restricted<\/span> since <time/)
    assert.match(page, /href="\/incidents\/contoso%3A1">Open the incident/)
    assert.match(
      page,
      /300 in 1h reached, from lure\.example, connector contoso\/web, 192\.0\.2\.7/,
    )
    assert.match(page, /a tenth of the limits \(default\), while it is restricted/)
  })

  it('say until when a tenant is on probation, and whose limits are in effect', async () => {
    const { as, store } = await newTenants()
    const restrictions = new Restrictions(store)
    await restrictions.place('contoso', { scope: 'unregistered', by: 'dora', reason: 'x' })
    const probation = { limits: '20/1h', duration: 3_600_000 }
    await restrictions.lift('contoso', { by: 'dora', reason: 'y', keepUsage: false, probation })
    const page = await as('viewer').page('/tenants/contoso')
    assert.match(page, /on probation<\/span> until <time[^>]*>[^<]*<\/time>: 20\/1h/)
    assert.match(page, /probation until \d{4}-/)
    assert.match(page, /by dora: y/)
  })

  it('say what would have restricted a tenant in mode monitor', async () => {
    const { as, store, registry } = await newTenants()
    await registry.tenants.set('contoso', { mode: 'monitor', limits: '3/1h' })
    await charge(store, 5)
    const page = await as('viewer').page('/tenants/contoso')
    assert.match(page, /would be restricted<\/span> since/)
    assert.match(page, /5 of 3 recipients in 1h, 166 %/)
  })

  it('say that a tenants file sets back what is changed', async () => {
    const { as, registry } = await newTenants()
    await registry.tenants.set('contoso', {}, { source: 'file:main' })
    assert.match(await as('viewer').page('/tenants/contoso'), /contoso comes from file:main/)
    const done = await as('admin').done('/tenants/contoso/domains/add', { domains: 'new.example' })
    assert.match(done, /added new\.example to contoso/)
    assert.match(done, /contoso comes from file:main, which will set back what it says of it/)
  })

  it('send only what is live when they ask again', async () => {
    const { as } = await newTenants()
    for (const tab of ['', '/domains', '/connectors', '/audit', '/settings']) {
      const answer = await as('admin').get(`/tenants/contoso${tab}`, { 'hx-request': 'true' })
      const text = await answer.text()
      assert.match(text, /Contoso Ltd/)
      assert.doesNotMatch(text, /<form/)
    }
  })

  it('answer for an unknown tenant with a sentence', async () => {
    const { as } = await newTenants()
    const answer = await as('viewer').get('/tenants/nobody/settings')
    assert.equal(answer.status, 404)
    assert.match(await answer.text(), /there is no tenant/)
    assert.equal((await as('viewer').get('/tenants/No%20body')).status, 400)
  })

  it('show forms only to people who may use them', async () => {
    const { as } = await newTenants()
    const forms = async (role: 'viewer' | 'operator' | 'admin'): Promise<string[]> => {
      const pages = ['', '/domains', '/connectors', '/settings'].map((tab) =>
        as(role).page(`/tenants/contoso${tab}`),
      )
      const text = (await Promise.all(pages)).join('')
      return [...text.matchAll(/method="post" action="([^"]*)"/g)]
        .map(([, action]) => action!)
        .filter((action) => action !== '/sign-out')
        .sort()
    }
    assert.deepEqual(await forms('viewer'), [])
    assert.deepEqual(await forms('operator'), [
      '/connectors/contoso/web/block',
      '/tenants/contoso/limits',
    ])
    assert.deepEqual(await forms('admin'), [
      '/connectors/contoso/web/block',
      '/connectors/contoso/web/disable',
      '/connectors/contoso/web/identities',
      '/connectors/contoso/web/remove',
      '/tenants/contoso/connectors/add',
      '/tenants/contoso/domains/add',
      '/tenants/contoso/domains/remove',
      '/tenants/contoso/domains/subdomains',
      '/tenants/contoso/limits',
      '/tenants/contoso/remove',
      '/tenants/contoso/settings',
    ])
  })

  it('have no action that a lesser role can use', async () => {
    const { as, store } = await newTenants()
    const admins = [
      '/tenants/add',
      ...['settings', 'remove', 'domains/add', 'domains/remove', 'domains/subdomains'].map(
        (each) => `/tenants/contoso/${each}`,
      ),
      '/tenants/contoso/connectors/add',
      ...['enable', 'disable', 'identities', 'remove'].map(
        (each) => `/connectors/contoso/web/${each}`,
      ),
    ]
    const operators = [
      '/tenants/contoso/limits',
      '/connectors/contoso/web/block',
      '/connectors/contoso/web/unblock',
    ]
    const fields = { reason: 'x', domains: 'x.example', tenant: 'x', name: 'x', limits: '1/1h' }
    for (const path of admins) {
      const answer = await as('operator').post(path, { ...fields, confirmed: 'yes' })
      assert.equal(answer.status, 403, path)
    }
    for (const path of [...admins, ...operators]) {
      const answer = await as('viewer').post(path, { ...fields, confirmed: 'yes' })
      assert.equal(answer.status, 403, path)
    }
    const changes = await readTenantAudit(store, 'contoso', 0)
    assert.deepEqual(
      changes.filter(({ note }) => note.startsWith('console:')),
      [],
    )
  })
})

describe('the audit of a tenant', () => {
  it('names the person for each change, the newest first', async () => {
    const { as } = await newTenants()
    await as('admin', 'ann').post('/tenants/contoso/domains/add', { domains: 'a.example' })
    await as('operator', 'olga').post('/connectors/contoso/web/block', { reason: 'taken over' })
    const page = await as('viewer').page('/tenants/contoso/audit')
    assert.match(page, /connector blocked.*console:olga.*domains added.*a\.example.*console:ann/s)
    assert.doesNotMatch(page, /fabrikam\.com/)
    assert.match(page, /tenantctl audit contoso/)
  })
})

describe('limits and settings in the console', () => {
  it('give limits for some time, with the command and in the name of the person', async () => {
    const { as, store } = await newTenants()
    await charge(store, 10)
    const done = await as('operator', 'olga').done('/tenants/contoso/limits', {
      limits: '10/1h, 5000/1d',
      for: '3d',
    })
    assert.match(done, CHANGED)
    assert.match(done, /limits: 10\/1h, 5000\/1d until .*, then 300\/1h, 1500\/1d/)
    assert.match(
      done,
      /already 10 of 10 in 1h \(unregistered mail\): the next recipient restricts it/,
    )
    assert.match(
      done,
      /<code>tenantctl tenant set contoso --limits &#39;10\/1h, 5000\/1d&#39; --for 3d<\/code>/,
    )
    const [entry] = (await readTenantAudit(store, 'contoso', 0)).slice(-1)
    assert.equal(entry?.note, 'console:olga')
    assert.match(entry?.to ?? '', /10\/1h, 5000\/1d until/)
  })

  it('refuse bad limits in a sentence, and change nothing', async () => {
    const { as, registry } = await newTenants()
    for (const [fields, says] of [
      [{ limits: '10 an hour', for: '3d' }, /not a limit: write COUNT\/WINDOW/],
      [{ limits: '10/1h', for: 'ever' }, /the time/],
      [{ limits: '10/1h', for: '91d' }, /limits can be given for 1m to 90d/],
      [{ limits: 'default', for: '3d' }, /goes back for good/],
      [{ for: '3d' }, /no limits were given/],
      [{ forwarded_limits: '10/1h', for: '3d' }, /has no allowance for forwarded mail/],
    ] as const) {
      const answer = await as('operator').post('/tenants/contoso/limits', fields)
      assert.ok([400, 409].includes(answer.status), String(answer.status))
      assert.match(await answer.text(), says)
    }
    const tenant = await registry.tenants.get('contoso')
    assert.equal(tenant?.temporaryLimits, undefined)
  })

  it('change what is given for good, and leave the rest', async () => {
    const { as, registry } = await newTenants()
    const done = await as('admin').done('/tenants/contoso/settings', {
      ...{ limits: '50/1h', mode: 'monitor', contact: 'it@contoso.com', null_limits: '' },
    })
    assert.match(done, CHANGED)
    assert.match(
      done,
      /tenant set contoso --limits 50\/1h --mode monitor --contact it@contoso\.com/,
    )
    assert.match(done, /an intruder in its mail can read the warnings/)
    assert.match(done, /no mail goes to contacts of tenants/)
    assert.match(done, /<dd>50\/1h<\/dd>/)
    const { name, mode, limits, nullLimits } = (await registry.tenants.get('contoso'))!
    assert.deepEqual(
      { name, mode, limits, nullLimits },
      { name: 'Contoso Ltd', mode: 'monitor', limits: '50/1h', nullLimits: undefined },
    )
    await as('admin').done('/tenants/contoso/settings', { limits: 'default', mode: 'default' })
    assert.equal((await registry.tenants.get('contoso'))?.limits, undefined)
  })

  it('refuse an allowance for forwards that has no effect, unless it is forced', async () => {
    const { as, registry } = await newTenants()
    const fields = { forwarded_limits: '500/1h' }
    const refused = await as('admin').post('/tenants/contoso/settings', fields)
    assert.equal(refused.status, 409)
    assert.match(await refused.text(), /\[forwarded\] enabled=false \(in effect\)/)
    const forced = await as('admin').done('/tenants/contoso/settings', { ...fields, force: 'yes' })
    assert.match(forced, /--forwarded-limits 500\/1h --force/)
    assert.equal((await registry.tenants.get('contoso'))?.forwardedLimits, '500/1h')
  })

  it('say that nothing was given', async () => {
    const answer = await (await newTenants()).as('admin').post('/tenants/contoso/settings', {})
    assert.equal(answer.status, 400)
    assert.match(await answer.text(), /nothing was given/)
  })
})

describe('tenants in the console', () => {
  it('are registered by an admin', async () => {
    const { as, registry } = await newTenants()
    assert.match(await as('admin').page('/tenants/new'), /action="\/tenants\/add"/)
    assert.equal((await as('operator').get('/tenants/new')).status, 403)
    const fields = { tenant: 'tailspin', name: 'Tailspin Toys', limits: '100/1h' }
    const done = await as('admin', 'ann').done('/tenants/add', fields)
    assert.match(done, /added tenant tailspin/)
    assert.match(done, /Tailspin Toys <small>tailspin/)
    assert.match(done, /tenant add tailspin --name &#39;Tailspin Toys&#39; --limits 100\/1h/)
    assert.equal((await registry.tenants.get('tailspin'))?.source, 'console:ann')
    const again = await as('admin').post('/tenants/add', { ...fields, limits: '7/1h' })
    assert.equal(again.status, 409)
    assert.match(await again.text(), /tenant tailspin exists with limits/)
    const bad = await as('admin').post('/tenants/add', { tenant: 'Tail spin' })
    assert.equal(bad.status, 400)
    assert.match(await bad.text(), /is not a tenant id/)
  })

  it('are removed only after a question that says what goes', async () => {
    const { as, registry } = await newTenants()
    const asked = await as('admin').done('/tenants/contoso/remove')
    assert.match(asked, /Remove tenant contoso\?/)
    assert.match(asked, /tenant contoso: 1 domain, 1 connector; no mail in the last seven days/)
    assert.ok(await registry.tenants.get('contoso'))
    const done = await as('admin').done('/tenants/contoso/remove', { confirmed: 'yes' })
    assert.match(done, /removed tenant contoso/)
    assert.match(done, /cases and audit trail are kept/)
    assert.equal(await registry.tenants.get('contoso'), undefined)
  })

  it('stay while they are restricted', async () => {
    const { as, store } = await newTenants()
    await new Restrictions(store).place('contoso', {
      ...{ scope: 'unregistered', by: 'dora', reason: 'x' },
    })
    const answer = await as('admin').post('/tenants/contoso/remove', { confirmed: 'yes' })
    assert.equal(answer.status, 409)
    assert.match(await answer.text(), /contoso is restricted/)
  })
})

describe('two people who change things at the same time', () => {
  it('are each named for their own changes', async () => {
    const { as, store, faults } = await newTenants()
    const people = { ann: as('admin', 'ann'), bob: as('admin', 'bob') }
    const who = (at: number): 'ann' | 'bob' => (at % 2 === 0 ? 'ann' : 'bob')
    const writes = Array.from({ length: 100 }, (_, at) => {
      const name = `${who(at)}-${at}.example`
      return people[who(at)].post('/tenants/contoso/domains/add', { domains: name })
    })
    const statuses = (await Promise.all(writes)).map(({ status }) => status)
    assert.deepEqual(new Set(statuses), new Set([303]))
    const entries = await readTenantAudit(store, 'contoso', 0)
    const added = entries.filter(({ note }) => note.startsWith('console:'))
    const authors = added.flatMap(({ to, note }) =>
      [...to.matchAll(/\b(ann|bob)-\d+\.example/g)].map(([, named]) => `console:${named}` === note),
    )
    assert.equal(authors.length, 100)
    assert.ok(authors.every(Boolean))
    assert.deepEqual(faults, [])
  })
})
