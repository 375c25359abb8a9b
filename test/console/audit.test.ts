import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { actorText } from '../../src/records/actor'
import { newConsole, textOf } from '../support/console'
import { signedBy, useRedis } from '../support/registry'

useRedis()

describe('the audit page', () => {
  it('says that nothing was changed', async () => {
    assert.match(
      textOf(await newConsole().as('viewer').page('/audit')),
      /Nothing was changed\. Who/,
    )
  })

  it('shows who changed what, of all tenants or of one', async () => {
    const console = newConsole()
    const ann = actorText({ os: 'root', redis: 'tenantctl', note: 'web:ann' })
    const { registry } = signedBy(ann, console)
    for (const id of ['contoso', 'fabrikam']) await registry.tenants.add(id, {}, 'ann')
    await registry.connectors.add('contoso', 'web', { auth: ['web@contoso.com'] }, 'ann')
    const all = textOf(await console.as('viewer').page('/audit'))
    assert.match(all, /contoso\/web connector added .* root, Redis user tenantctl, web:ann/)
    assert.match(all, /fabrikam tenant added/)
    const one = textOf(await console.as('viewer').page('/audit?tenant=contoso'))
    assert.match(one, /contoso\/web connector added .* contoso tenant added/)
    assert.doesNotMatch(one, /fabrikam tenant added/)
    assert.match(one, /tenantctl audit contoso/)
  })

  it('answers a tenant that never was with a sentence', async () => {
    const response = await newConsole().as('viewer').get('/audit?tenant=nobody')
    assert.equal(response.status, 404)
    assert.match(await response.text(), /no such tenant|nobody/)
  })

  it('shows the newest 200 changes, and says that there are more', async () => {
    const console = newConsole()
    const { client, keys } = console.store
    await console.registry.tenants.add('contoso', {}, 'ann')
    const now = Date.now()
    const lines = Array.from({ length: 900 }, (_, at) => `${now + at}\t\tchange ${at}\t\t\tann\t\t`)
    await client.rpush(keys.audit('contoso'), ...lines)
    const one = textOf(await console.as('viewer').page('/audit?tenant=contoso'))
    assert.match(one, /change 899 /)
    assert.doesNotMatch(one, /change 699 /)
    assert.match(one, /The newest 200 changes\. There are more\./)
    const all = textOf(await console.as('viewer').page('/audit'))
    assert.match(all, /of each tenant at most 20\. There are more\./)
  })
})
