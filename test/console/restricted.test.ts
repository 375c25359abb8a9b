import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Restrictions } from '../../src/allowance/restriction'
import { Cases } from '../../src/cases/cases'
import { readRefusedNow } from '../../src/operations/refused-now'
import { newConsole, textOf } from '../support/console'
import { newSite, useRedis } from '../support/registry'
import { record } from '../support/reports'

useRedis()

describe('restricted tenants and blocked connectors', () => {
  it('are none in a page that says what would be here', async () => {
    const page = await newConsole().as('viewer').page('/restricted')
    assert.match(textOf(page), /No tenant is restricted and no connector is blocked\. What an/)
  })

  it('are shown with why, the case, the checklist, what is still refused, and where to lift it', async () => {
    const console = newConsole()
    const { store, registry } = console
    for (const id of ['contoso', 'fabrikam']) await registry.tenants.add(id, {}, 'ann')
    await new Restrictions(store).place('contoso', {
      ...{ scope: 'unregistered', by: 'ann', reason: 'taken over' },
    })
    const cases = new Cases(store)
    const name = (await cases.ensure('contoso'))!
    await cases.check(name, ['domains', 'proof'], { by: 'ann', text: '' })
    await registry.connectors.add('fabrikam', 'web', { auth: ['web@fabrikam.com'] }, 'ann')
    await registry.connectors.block('fabrikam', 'web', { by: 'bob', reason: 'stolen password' })
    const at = Date.now()
    await record(store, 'contoso', { at, refused: 40, connector: 'contoso/mx' })
    const web = { at, connector: 'fabrikam/web', class: 'registered' } as const
    await record(
      store,
      'fabrikam',
      { ...web, refused: 20 },
      { ...web, connector: 'x', refused: 900 },
    )

    const page = await console.as('operator').page('/restricted')
    const text = textOf(page)
    assert.match(
      text,
      /Tenant contoso unregistered mail \S+ ann taken over by hand contoso:1 2 of 4 [1-4]\d Unblock/,
    )
    assert.match(
      text,
      /Connector fabrikam\/web all that it relays \S+ bob stolen password by hand [12]?\d Unblock/,
    )
    assert.match(page, /href="\/incidents\/contoso%3A1" aria-label="Unblock contoso"/)
    assert.match(page, /href="\/tenants\/fabrikam\/connectors" aria-label="Unblock fabrikam\/web"/)
    assert.match(textOf(await console.as('viewer').page('/restricted')), /\d Look /)
  })

  it('are at most 200 tenants, and the page says how many more there are', async () => {
    const { store, ...site } = newConsole()
    const { client, keys } = store
    const pipeline = client.pipeline()
    for (let at = 0; at < 1000; at++) {
      pipeline.sadd(keys.restricted, `t${at}`)
      const restriction = { scope: 'all', by: 'ann', reason: 'x', since: at }
      pipeline.hset(keys.restriction(`t${at}`), restriction)
    }
    await pipeline.exec()
    const page = await site.as('viewer').page('/restricted')
    assert.ok(page.split('<td class="">Tenant</td>').length <= 201)
    assert.match(textOf(page), /800 more tenants restricted: tenantctl restricted/)
  })

  it('among many connectors, the blocked ones are those of the latest changes', async () => {
    const { store, registry } = newSite()
    const { client, keys } = store
    await registry.tenants.add('contoso', {}, 'ann')
    const packed = JSON.stringify({
      ...{ ip: [], cert: [], certSha256: [], auth: [], enabled: true, addedAt: 1, addedBy: 'ann' },
    })
    const many = Array.from({ length: 1001 }, (_, at) => [`t${at}/mx`, packed])
    await client.hset(keys.connectors, ...many.flat())
    await registry.connectors.add('contoso', 'web', { auth: ['web@contoso.com'] }, 'ann')
    await registry.connectors.block('contoso', 'web', { by: 'bob', reason: 'stolen' })
    const { connectors, latestChanges } = await readRefusedNow(store)
    assert.deepEqual(
      connectors.map(({ connector: { tenant, name }, block }) => [tenant, name, block.by]),
      [['contoso', 'web', 'bob']],
    )
    assert.equal(latestChanges, 1000)
  })
})
