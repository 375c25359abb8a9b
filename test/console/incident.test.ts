import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { takeover } from '../support/console-incident'
import { useRedis } from '../support/registry'

useRedis()

describe('the page of an incident', () => {
  it('says whether it goes on, by what, and what to do next', async () => {
    const site = await takeover()
    const page = await site.as('operator').page('/incidents/contoso%3A1')
    assert.match(page, /yes<\/span>: 21 unregistered recipients in the last 5 minutes/)
    assert.match(page, /98 % of the unregistered recipients came through it \(59 messages/)
    assert.match(page, /do this next<\/span><\/p>\s*<h3>Connector web/)
    assert.match(page, /tenantctl connector block contoso web --reason &#39;case contoso:1&#39;/)
    assert.deepEqual(site.faults, [])
  })
})
