import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatTemporary } from '../../src/mail/temporary'
import { sharedRelay, waitFor, type Sent, type TestRelay, type TestTenant } from '../support'
import { REPLY } from '../support/replies'

const FROM = 'x@unregistered.example'
const SECOND = 1000
const HOUR = 3_600_000

describe('limits', () => {
  let relay: TestRelay
  sharedRelay((started) => (relay = started))

  /** One message to this many recipients. */
  function pour(tenant: TestTenant, count: number): Promise<Sent> {
    const to = Array.from({ length: count }, (_, number) => `r${number}@far.example`)
    return tenant.send({ from: FROM, to })
  }

  it('0/1h refuses every unregistered recipient, and restricts no tenant', async () => {
    const tenant = await relay.tenant('zero', { limits: '0/1h' })
    for (const sent of [await pour(tenant, 2), await pour(tenant, 1)]) {
      assert.equal(sent.mail.code, 250)
      for (const rcpt of sent.rcpts) assert.equal(rcpt.raw, REPLY.blocked)
    }
    assert.equal(await tenant.restriction(), undefined)
    assert.equal(await tenant.used(), 0)
    assert.ok((await tenant.send({ from: `x@${tenant.domain}`, to: 'a@far.example' })).delivered)
  })

  it('unlimited never refuses and never restricts', async () => {
    const tenant = await relay.tenant('unlimited', { limits: 'unlimited' })
    const sent = await pour(tenant, 400)
    assert.equal(sent.accepted.length, 400)
    assert.ok(sent.delivered)
    assert.deepEqual(await relay.windows(tenant.id), [])
    assert.equal(await tenant.restriction(), undefined)
  })

  it('defer answers 451 without a restriction, and the message goes to the accepted recipients', async () => {
    const tenant = await relay.tenant('defer', { limits: '2/1h defer' })
    const sent = await pour(tenant, 4)
    assert.deepEqual(
      sent.rcpts.map(({ code }) => code),
      [250, 250, 451, 451],
    )
    assert.equal(sent.last.raw, REPLY.deferred)
    assert.ok(sent.delivered)
    assert.equal((await pour(tenant, 1)).last.raw, REPLY.deferred)
    assert.equal(await tenant.restriction(), undefined)
    assert.equal(await tenant.used(), 2)
  })

  it('limits for some time apply at once, and the usual ones when the time is over', async () => {
    const tenant = await relay.tenant('for-some-time', { limits: '1/1h defer' })
    const setUntil = (until: number): Promise<unknown> => {
      const temporaryLimits = formatTemporary({ limits: 'unlimited', until })
      return relay.registry.tenants.set(tenant.id, { temporaryLimits })
    }
    assert.equal((await pour(tenant, 2)).accepted.length, 1)
    await setUntil(Date.now() + HOUR)
    assert.equal((await pour(tenant, 5)).accepted.length, 5)
    await setUntil(Date.now() + SECOND)
    await waitFor(async () => (await pour(tenant, 1)).last.raw === REPLY.deferred)
    assert.equal(await tenant.restriction(), undefined)
  })

  it('a limit after one with defer restricts when it is reached', async () => {
    const tenant = await relay.tenant('defer-then-trip', { limits: '2/1s defer, 3/1h' })
    await pour(tenant, 2)
    // As soon as the short window has room, the long one is full.
    await waitFor(async () => (await pour(tenant, 1)).delivered)
    await waitFor(async () => (await pour(tenant, 1)).last.raw === REPLY.blocked)
    assert.equal((await tenant.restriction())?.trigger?.window, HOUR)
  })

  it('the limit of one window trips at the first recipient past it', async () => {
    const tenant = await relay.tenant('one-window', { limits: '3/1h' })
    assert.equal((await pour(tenant, 3)).accepted.length, 3)
    assert.equal(await tenant.restriction(), undefined)
    assert.equal((await pour(tenant, 1)).last.raw, REPLY.blocked)
    assert.ok(await tenant.restriction())
  })

  it('three windows are charged together or not at all, and the tightest trips', async () => {
    const limits = '100/1d, 3/10m, 50/1h'
    const tenant = await relay.tenant('three-windows', { limits })
    const sent = await pour(tenant, 5)
    assert.equal(sent.accepted.length, 3)
    assert.deepEqual(
      (await relay.windows(tenant.id)).map(({ used }) => used),
      [3, 3, 3],
    )
    const trigger = (await tenant.restriction())?.trigger
    assert.deepEqual([trigger?.window, trigger?.limit, trigger?.used], [600_000, 3, 3])
  })

  it('a window that drains accepts mail again', async () => {
    const tenant = await relay.tenant('drains', { limits: '2/2s defer' })
    assert.equal((await pour(tenant, 3)).last.raw, REPLY.deferred)
    await waitFor(async () => (await pour(tenant, 1)).delivered)
    assert.equal(await tenant.restriction(), undefined)
  })

  it('a restriction stays after the window has drained, until it is lifted', async () => {
    const tenant = await relay.tenant('stays', { limits: '2/1s' })
    assert.equal((await pour(tenant, 3)).last.raw, REPLY.blocked)
    await waitFor(async () => (await tenant.used()) === 0)
    assert.equal((await pour(tenant, 1)).mail.raw, REPLY.blocked)
    assert.equal(await relay.lift(tenant.id), 'lifted')
    await waitFor(async () => (await pour(tenant, 1)).delivered)
  })

  describe('lifting a restriction', () => {
    it('starts the windows afresh', async () => {
      const tenant = await relay.tenant('afresh', { limits: '2/1h' })
      await pour(tenant, 3)
      await relay.lift(tenant.id)
      assert.equal(await tenant.used(), 0)
      await waitFor(async () => (await tenant.send({ from: FROM, to: 'a@far.example' })).delivered)
      assert.equal(await tenant.used(), 1)
      assert.equal(await tenant.restriction(), undefined)
    })

    it('keeps the usage with --keep-usage, and the next recipient trips again', async () => {
      const tenant = await relay.tenant('kept', { limits: '2/1h' })
      await pour(tenant, 3)
      const before = await tenant.restriction()
      await relay.lift(tenant.id, { keepUsage: true })
      assert.equal(await tenant.used(), 2)
      // Refused at RCPT and not at MAIL: the lift has arrived.
      const sent = await waitFor(async () => {
        const next = await pour(tenant, 1)
        return next.mail.positive && next
      })
      assert.equal(sent.rcpts[0]?.raw, REPLY.blocked)
      const again = await tenant.restriction()
      assert.ok(again && before && again.since >= before.since)
    })

    it('keeps earlier charges out of the new windows, also when they are refunded', async () => {
      const tenant = await relay.tenant('lift-between', { limits: '5/1h' })
      const client = await tenant.connect()
      await client.mail(FROM)
      await client.rcpt('a@far.example')
      await client.rcpt('b@far.example')
      assert.equal(await tenant.used(), 2)
      await relay.restrictions.place(tenant.id, {
        scope: 'unregistered',
        by: 'test',
        reason: 'test',
      })
      await relay.lift(tenant.id)
      assert.equal(await tenant.used(), 0)

      // A charge from before the lift and one from after it, refunded together.
      await waitFor(async () => (await client.rcpt('c@far.example')).positive)
      assert.equal(await tenant.used(), 1)
      await client.rset()
      await waitFor(async () => (await tenant.used()) === 0)
      assert.equal((await pour(tenant, 1)).delivered, true)
      assert.equal(await tenant.used(), 1)
      await client.quit()
    })

    it('during charges counts each of them before or after the lift, and refunds it there', async () => {
      const tenant = await relay.tenant('lift-during', { limits: '1000/1h' })
      const { restrictions } = relay
      const clients = await Promise.all(Array.from({ length: 8 }, () => tenant.connect()))
      for (let round = 1; round <= 5; round++) {
        await waitFor(async () => {
          const replies = await Promise.all(clients.map((client) => client.mail(FROM)))
          const all = replies.every(({ positive }) => positive)
          if (!all) await Promise.all(clients.map((client) => client.rset()))
          return all
        })
        // Redis gets the charges, a block and a lift at once, in any order.
        relay.redis.pause()
        const answers = clients.map((client) => client.rcpt('a@far.example'))
        const act = { by: 'test', reason: 'test' }
        const block = restrictions.place(tenant.id, { ...act, scope: 'unregistered' })
        const lift = relay.lift(tenant.id)
        relay.redis.resume()
        await Promise.all([block, lift])
        for (const answer of await Promise.all(answers)) {
          if (!answer.positive) assert.equal(answer.raw, REPLY.blocked)
        }
        await Promise.all(clients.map((client) => client.rset()))
        await waitFor(async () => (await tenant.used()) === 0)
        await relay.lift(tenant.id)
      }
      await Promise.all(clients.map((client) => client.quit()))
      await waitFor(async () => (await pour(tenant, 1)).delivered)
      assert.equal(await tenant.used(), 1)
    })
  })

  describe('changed while a transaction is open', () => {
    it('to less than was used: the next recipient trips, and the message goes to the earlier ones', async () => {
      const tenant = await relay.tenant('lowered', { limits: '10/1h' })
      const client = await tenant.connect()
      await client.mail(FROM)
      for (const name of ['a', 'b', 'c']) {
        assert.equal((await client.rcpt(`${name}@far.example`)).code, 250)
      }
      await relay.registry.tenants.set(tenant.id, { limits: '2/1h' })
      assert.equal((await client.rcpt('d@far.example')).raw, REPLY.blocked)
      assert.equal((await client.data()).code, 354)
      assert.equal((await client.message('Subject: lowered\r\n\r\nx\r\n')).code, 250)
      const message = await relay.haraka.sink.waitFor(({ subject }) => subject === 'lowered')
      assert.equal(message.rcptTo.length, 3)
      const trigger = (await tenant.restriction())?.trigger
      assert.deepEqual([trigger?.limit, trigger?.used], [2, 3])
      await client.quit()
    })

    it('to more: the next recipient passes', async () => {
      const tenant = await relay.tenant('raised', { limits: '1/1h defer' })
      const client = await tenant.connect()
      await client.mail(FROM)
      assert.equal((await client.rcpt('a@far.example')).code, 250)
      assert.equal((await client.rcpt('b@far.example')).raw, REPLY.deferred)
      await relay.registry.tenants.set(tenant.id, { limits: '2/1h defer' })
      assert.equal((await client.rcpt('b@far.example')).code, 250)
      assert.equal((await client.rcpt('c@far.example')).raw, REPLY.deferred)
      await client.quit()
    })

    it('to another window: it starts empty, and refunds do not change it', async () => {
      const tenant = await relay.tenant('other-window', { limits: '2/1h' })
      const client = await tenant.connect()
      await client.mail(FROM)
      await client.rcpt('a@far.example')
      await client.rcpt('b@far.example')
      await relay.registry.tenants.set(tenant.id, { limits: '2/2h' })
      assert.equal(await tenant.used(), 0)
      assert.equal((await client.rcpt('c@far.example')).code, 250)
      assert.equal(await tenant.used('unregistered', 2 * HOUR), 1)
      await client.rset()
      await waitFor(async () => (await tenant.used()) === 0)
      await client.quit()

      // The old window got its refund.
      await relay.registry.tenants.set(tenant.id, { limits: '2/1h' })
      assert.equal(await tenant.used('unregistered', HOUR), 0)
    })
  })

  it('from the defaults of the ini apply to a tenant without its own', async () => {
    const tenant = await relay.tenant('defaults')
    await pour(tenant, 1)
    assert.deepEqual(
      (await relay.windows(tenant.id)).map(({ window, limit, used }) => [window, limit, used]),
      [
        [HOUR, 300, 1],
        [24 * HOUR, 1500, 1],
      ],
    )
  })

  it('hold in any interval of their length, for any rhythm of messages', async () => {
    const limit = 3
    const tenant = await relay.tenant('interval', { limits: `${limit}/1s defer` })
    const accepted: { before: number; after: number }[] = []
    const client = await tenant.connect()
    while (accepted.length < 10) {
      await client.mail(FROM)
      const before = performance.now()
      const rcpt = await client.rcpt('a@far.example')
      if (rcpt.positive) {
        accepted.push({ before, after: performance.now() })
        await client.data()
        await client.message()
      } else {
        assert.equal(rcpt.raw, REPLY.deferred)
        await client.rset()
      }
    }
    await client.quit()
    for (const [index, { before }] of accepted.entries()) {
      const later = accepted[index + limit]
      if (later) assert.ok(later.after - before > SECOND, `${later.after - before} ms`)
    }
  })
})
