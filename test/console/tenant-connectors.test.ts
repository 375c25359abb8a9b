import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readTenantAudit } from '../../src/audit/reader'
import { useRedis } from '../support/registry'
import { newTenants } from './tenant-site'

useRedis()

const WEB = '/connectors/contoso/web'

describe('the connectors of a tenant in the console', () => {
  it('are listed with what they are recognised by, and not those of others', async () => {
    const { as } = await newTenants()
    const page = await as('viewer').page('/tenants/contoso/connectors')
    assert.match(
      page,
      /contoso\/web<\/a>.*ip 192\.0\.2\.7\/32, auth web@contoso\.com.*relays.*dora/s,
    )
    assert.doesNotMatch(page, /fabrikam\/mx/)
  })

  it('are blocked by an operator, with a reason, and say where that is in force', async () => {
    const { as, registry, store } = await newTenants()
    const returnTo = '/tenants/contoso/connectors'
    const fields = { reason: 'taken over', return_to: returnTo }
    const done = await as('operator', 'olga').done(`${WEB}/block`, fields)
    assert.match(done, /blocked connector contoso\/web: all that it relays is refused/)
    assert.match(done, /no Haraka process has reported/)
    assert.match(done, /connector block contoso web --reason &#39;taken over&#39;/)
    assert.match(done, /blocked<\/span>[^<]*since[^<]*by console:olga[^<]*taken over/)
    assert.equal((await registry.connectors.get('contoso', 'web'))?.blocked?.by, 'console:olga')
    const [entry] = (await readTenantAudit(store, 'contoso', 0)).slice(-1)
    assert.deepEqual([entry?.what, entry?.note], ['connector blocked', 'console:olga'])
    assert.match(
      await as('operator').done(`${WEB}/block`, fields),
      /contoso\/web is blocked already/,
    )
    assert.match(
      await as('operator').done(`${WEB}/unblock`, fields),
      /unblocked connector contoso\/web/,
    )
  })

  it('need a reason to be blocked', async () => {
    const answer = await (await newTenants()).as('operator').post(`${WEB}/block`, { reason: ' ' })
    assert.equal(answer.status, 400)
    assert.match(await answer.text(), /the reason is empty/)
  })

  it('are disabled and enabled by an admin', async () => {
    const { as, registry } = await newTenants()
    assert.match(await as('admin').done(`${WEB}/disable`), /disabled connector contoso\/web/)
    assert.equal((await registry.connectors.get('contoso', 'web'))?.enabled, false)
    assert.match(await as('admin').page('/tenants/contoso/connectors'), /disabled<\/span>/)
    assert.match(await as('admin').done(`${WEB}/enable`), /enabled connector contoso\/web/)
    assert.match(await as('admin').done(`${WEB}/enable`), /is enabled already/)
  })

  it('are added, and refused with the connector that has the identity', async () => {
    const { as, registry } = await newTenants()
    const path = '/tenants/contoso/connectors/add'
    const done = await as('admin').done(path, { name: 'mx', ip: '203.0.113.0/24', auth: '' })
    assert.match(done, /added connector contoso\/mx/)
    assert.match(done, /connector add contoso mx --ip 203\.0\.113\.0\/24</)
    for (const [fields, status, says] of [
      [{ name: 'mx2', ip: '198.51.100.7' }, 409, /belongs to connector fabrikam\/mx/],
      [{ name: 'mx2' }, 400, /identit/],
      [{ name: 'M X', ip: '192.0.2.9' }, 400, /is not a connector name/],
      [{ name: 'mx2', ip: '192.0.2' }, 400, /192\.0\.2/],
      [{ name: 'mx', ip: '192.0.2.9' }, 409, /connector contoso\/mx exists with/],
    ] as const) {
      const answer = await as('admin').post(path, fields)
      assert.equal(answer.status, status, JSON.stringify(fields))
      assert.match(await answer.text(), says)
    }
    assert.equal((await registry.connectors.list('contoso')).length, 2)
  })

  it('get other identities in one step', async () => {
    const { as, registry } = await newTenants()
    const page = await as('admin').page('/tenants/contoso/connectors')
    assert.match(page, /name="remove-ip"\s+value="192\.0\.2\.7\/32"/)
    const done = await as('admin').done(`${WEB}/identities`, {
      ...{ ip: '192.0.2.8', 'remove-ip': '192.0.2.7/32' },
    })
    assert.match(done, /changed connector contoso\/web: ip 192\.0\.2\.8\/32, auth web@contoso\.com/)
    assert.match(
      done,
      /connector set contoso web --add-ip 192\.0\.2\.8 --remove-ip 192\.0\.2\.7\/32/,
    )
    assert.deepEqual((await registry.connectors.get('contoso', 'web'))?.ip, ['192.0.2.8/32'])
    const nothing = await as('admin').post(`${WEB}/identities`, {})
    assert.equal(nothing.status, 400)
    const all = { 'remove-ip': '192.0.2.8/32', 'remove-auth': 'web@contoso.com' }
    const none = await as('admin').post(`${WEB}/identities`, all)
    assert.equal(none.status, 409)
    assert.match(await none.text(), /would have no identity left/)
  })

  it('are removed after a question, and not while they are blocked', async () => {
    const { as, registry } = await newTenants()
    const asked = await as('admin').done(`${WEB}/remove`)
    assert.match(asked, /Remove connector contoso\/web\?/)
    assert.match(asked, /recognised by ip 192\.0\.2\.7\/32/)
    await as('admin').post(`${WEB}/block`, { reason: 'x' })
    const refused = await as('admin').post(`${WEB}/remove`, { confirmed: 'yes' })
    assert.equal(refused.status, 409)
    assert.match(await refused.text(), /contoso\/web is blocked/)
    await as('admin').post(`${WEB}/unblock`, { reason: 'x' })
    assert.match(await as('admin').done(`${WEB}/remove`, { confirmed: 'yes' }), /removed connector/)
    assert.deepEqual(await registry.connectors.list('contoso'), [])
    assert.equal((await as('admin').post(`${WEB}/remove`)).status, 404)
  })
})

describe('the connectors of all tenants in the console', () => {
  it('come with those first that relay nothing, as soon as one is blocked', async () => {
    const { as } = await newTenants()
    const before = await as('viewer').page('/connectors')
    assert.match(before, /2 connectors\./)
    assert.match(before, /contoso\/web.*fabrikam\/mx/s)
    await as('operator').post('/connectors/fabrikam/mx/block', { reason: 'x' })
    const after = await as('viewer').page('/connectors')
    assert.match(after, /1 relays nothing now: these come first/)
    assert.match(after, /fabrikam\/mx.*contoso\/web/s)
  })

  it('are shown up to a bound, and found by what they are recognised by', async () => {
    const { as, registry } = await newTenants()
    const none = { cert: [], certSha256: [], auth: [] }
    const many = Array.from({ length: 250 }, (_, at) => ({
      ...{ name: `n${at}`, identities: { ...none, ip: [`10.0.0.${at}/32`] } },
    }))
    await registry.connectors.put('fabrikam', many, 'dora')
    const page = await as('viewer').page('/connectors')
    assert.match(page, /252 connectors\./)
    assert.match(page, /52 more are\s+not shown/)
    for (const identity of ['192.0.2.7', 'web@contoso.com']) {
      const found = await as('viewer').page(`/connectors?identity=${identity}`)
      assert.match(found, /<dd>contoso\/web<\/dd>.*Connectors of contoso/s)
    }
    const near = await as('viewer').page('/connectors?identity=192.0.2.9')
    assert.match(
      near,
      /no connector matches &quot;192\.0\.2\.9&quot;; near it: ip 192\.0\.2\.7\/32/,
    )
    assert.equal((await as('viewer').get('/connectors?identity=192.0.2.0/24')).status, 400)
  })
})
