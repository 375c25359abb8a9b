import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Scope } from '../../src/mail/scope'
import { startRelay, waitFor, type TestRelay, type TestTenant } from '../support'
import { REPLY } from '../support/replies'

/** The reply, with the case after its text. */
const naming = (reply: string, opened: string): string =>
  reply.replace(/\r\n$/, ` (case ${opened})\r\n`)

describe('[reply] case=true, on two workers', () => {
  let relay: TestRelay
  before(async () => {
    relay = await startRelay({ nodes: 2, settings: { reply: { case: true } } })
  })
  after(() => relay.stop())

  const block = (tenant: TestTenant, scope: Scope): Promise<unknown> =>
    relay.restrictions.place(tenant.id, { scope, by: 'test', reason: 'test' })

  it('names the case after the exact text: at the trip, after it, and on every worker', async () => {
    const tenant = await relay.tenant('named', { limits: '1/1h' })
    const named = naming(REPLY.blocked, 'named:1')
    const sent = await tenant.send({
      from: 'x@odd.example',
      to: ['a@far.example', 'b@far.example'],
    })
    assert.equal(sent.rcpts[1]?.raw, named)
    assert.equal((await tenant.restriction())?.case, 'named:1')
    for (let session = 0; session < 6; session++) {
      await waitFor(async () => {
        const { mail } = await tenant.send({ from: 'x@odd.example', to: 'a@far.example' })
        return mail.raw === named
      })
    }
  })

  it('names the case of a block of any scope', async () => {
    const tenant = await relay.tenant('by-hand')
    await block(tenant, 'unregistered')
    await waitFor(async () => {
      const { mail } = await tenant.send({ from: 'x@odd.example', to: 'a@far.example' })
      return mail.raw === naming(REPLY.blocked, 'by-hand:1')
    })
    await block(tenant, 'all')
    await waitFor(async () => {
      const { mail } = await tenant.send({ from: `x@${tenant.domain}`, to: 'a@far.example' })
      return mail.raw === naming(REPLY.blockedAll, 'by-hand:1')
    })
  })

  it('leaves replies without a case as they are', async () => {
    const tenant = await relay.tenant('none', { limits: '0/1h' })
    const { rcpts } = await tenant.send({ from: 'x@odd.example', to: 'a@far.example' })
    assert.equal(rcpts[0]?.raw, REPLY.blocked)
  })
})
