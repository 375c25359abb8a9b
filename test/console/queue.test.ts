import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { readTenantAudit } from '../../src/audit/reader'
import { takeover } from '../support/console-incident'
import type { ConsoleAtHand } from '../support/console'
import { queueFile } from '../support/queue-files'
import { OrderedHost, served } from '../support/queue-host'
import { useRedis } from '../support/registry'

useRedis()

const QUEUE = '/tenants/contoso/queue'

interface Mail {
  readonly name: string
  /** Whether it is still in the queue. */
  readonly isThere: () => boolean
}

/** A console, and a host with a queue that carries out orders. */
async function withHost(): Promise<{
  site: ConsoleAtHand
  host: OrderedHost
  mail: (mailFrom: string, noted?: string) => Mail
}> {
  const site = await takeover()
  const host = new OrderedHost(site.store, 'mx1')
  const mail = (mailFrom: string, noted = 'unregistered'): Mail => {
    const name = queueFile(host.host.directory, { tenant: 'contoso', mailFrom, noted })
    return { name, isThere: () => existsSync(path.join(host.host.directory, name)) }
  }
  return { site, host, mail }
}

describe('a drop from the queue', () => {
  it('shows what would go, and removes exactly that', async () => {
    const { site, host, mail } = await withHost()
    const ann = site.as('operator')
    const lure = mail('x@lure.example')
    const others = [mail('x@contoso.de'), mail('x@contoso.com', 'registered')]
    await served([host], async () => {
      const fields = { return_to: QUEUE, domain: 'lure.example' }
      const question = await ann.done(`${QUEUE}/drop`, fields)
      assert.match(question, /Remove 1 message for 1 recipient permanently\?/)
      assert.match(question, /x@lure\.example/)
      assert.doesNotMatch(question, /contoso\.de/)
      assert.match(question, /tenantctl queue contoso drop --where domain=lure\.example/)
      assert.ok(lure.isThere())
      // It came after the list that the person has seen.
      const later = mail('y@lure.example')
      const list = /name="list" value="([^"]+)"/.exec(question)![1]!
      const answer = { ...fields, list, confirmed: 'yes' }
      const page = await ann.done(`${QUEUE}/drop`, answer)
      assert.match(page, /removed 1 message of contoso for 1 recipient from the queue of mx1/)
      assert.ok(!lure.isThere())
      for (const each of [...others, later]) assert.ok(each.isThere())
      const again = await ann.post(`${QUEUE}/drop`, answer)
      assert.equal(again.status, 409)
      assert.match(await again.text(), /the list is not known any more/)
    })
    const trail = await readTenantAudit(site.store, 'contoso', 0)
    const dropped = trail.filter(({ what }) => what === 'queue dropped')
    assert.deepEqual(
      dropped.map(({ note }) => note),
      ['console:ann'],
    )
    assert.deepEqual(site.faults, [])
  })

  it('names the host that does not answer, and leaves its queue as it is', async () => {
    const { site, host, mail } = await withHost()
    mail('x@lure.example')
    const silent = new OrderedHost(site.store, 'mx2')
    await silent.turn()
    await served([host], async () => {
      const question = await site.as('operator').done(`${QUEUE}/drop`)
      assert.match(question, /mx2 did not answer within 5s .*its queue is left as it is/)
      assert.match(question, /Remove 1 message for 1 recipient permanently\?/)
    })
  })

  it('says where there is nothing to remove', async () => {
    const { site, host } = await withHost()
    await served([host], async () => {
      const response = await site.as('operator').post(`${QUEUE}/drop`, { sender: 'x@y.example' })
      assert.equal(response.status, 409)
      const words = /no host that answered holds unregistered mail of that kind of contoso/
      assert.match(await response.text(), words)
    })
  })
})

describe('the queue of a tenant', () => {
  it('is listed by class, and the filters are in the address', async () => {
    const { site, host, mail } = await withHost()
    mail('x@lure.example')
    mail('x@contoso.com', 'registered')
    await served([host], async () => {
      const page = await site.as('operator').page(QUEUE)
      assert.match(page, /<dt>mx1<\/dt>\s*<dd>1 unregistered, 1 registered<\/dd>/)
      const some = await site.as('operator').page(`${QUEUE}?class=registered`)
      assert.match(some, /x@contoso\.com/)
      assert.doesNotMatch(some, /x@lure\.example/)
      assert.match(some, /name="class" value="registered"/)
    })
    assert.equal((await site.as('viewer').get(QUEUE)).status, 403)
    assert.equal((await site.as('operator').get(`${QUEUE}?class=spam`)).status, 400)
  })

  it('has headers for operators, by a form, and the audit trail says who looked', async () => {
    const { site, host, mail } = await withHost()
    mail('x@lure.example')
    await served([host], async () => {
      assert.equal((await site.as('viewer').post(`${QUEUE}/show`)).status, 403)
      const page = await site.as('operator').done(`${QUEUE}/show`)
      assert.match(page, /<pre tabindex="0">Subject: x<br/)
      assert.doesNotMatch(page, /hello/)
    })
    const trail = await readTenantAudit(site.store, 'contoso', 0)
    const shown = trail.find(({ what }) => what === 'queue shown')
    assert.equal(shown?.note, 'console:ann')
  })

  it('is on the page of the incident, and a host that is silent keeps no page waiting', async () => {
    const { site, host, mail } = await withHost()
    const ann = site.as('operator')
    mail('x@lure.example')
    await host.turn()
    const early = await ann.page('/incidents/contoso')
    assert.match(early, /hosts are being asked/)
    await served([host], async () => {
      const text = await waitFor(async () => {
        const poll = await ann.get('/incidents/contoso', { 'hx-request': 'true' })
        const live = await poll.text()
        return live.includes('mx1: 1 message for 1 recipient, 1 held, 1 unregistered') && live
      })
      assert.match(text, /as of <time/)
    })
    const page = await ann.page('/incidents/contoso')
    assert.match(page, /1 message for 1 recipient of mx wait in the queue/)
    assert.match(await site.as('viewer').page('/incidents/contoso'), /shown to people who may/)
  })
})
