import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseLimits } from '../../src/mail/limits'
import { Allowance, DEFAULTS } from '../support/allowance'
import { NOON } from '../support/clock'
import { useRedis } from '../support/registry'

const SECOND = 1000
const MINUTE = 60_000
const HOUR = 3_600_000

useRedis()

describe('usage', () => {
  it('shows the windows of both meters in their order, with nothing counted yet', async () => {
    const allowance = await Allowance.create({
      limits: '5/1h defer, 9/1d',
      nullLimits: 'unlimited',
    })
    const before = await allowance.everything()
    assert.deepEqual(await allowance.usage(), {
      at: NOON,
      unregistered: [
        { window: HOUR, limit: 5, defer: true, used: 0, remaining: 5, freesAt: undefined },
        { window: 24 * HOUR, limit: 9, defer: false, used: 0, remaining: 9, freesAt: undefined },
      ],
      forwarded: undefined,
      held: 0,
      null: [],
      wouldTrip: undefined,
      forecasts: {},
      probation: undefined,
      temporary: {},
    })
    assert.deepEqual(await allowance.everything(), before)
  })

  it('is nothing where there is no such tenant', async () => {
    const allowance = await Allowance.create()
    const none = await allowance.ledger.usage('nobody', DEFAULTS)
    assert.equal(none, undefined)
  })

  it('shows the defaults for a tenant without limits of its own', async () => {
    const allowance = await Allowance.create()
    const usage = await allowance.usage('contoso', {
      limits: parseLimits('7/2h'),
      nullLimits: parseLimits('8/3h'),
    })
    assert.deepEqual(
      [usage.unregistered[0]?.limit, usage.null[0]?.limit, usage.null[0]?.window],
      [7, 8, 3 * HOUR],
    )
  })

  it('writes nothing where windows have moved on', async () => {
    const allowance = await Allowance.create()
    await allowance.answers(2)
    await allowance.advance(30 * MINUTE)
    const before = await allowance.everything()
    assert.deepEqual(await allowance.used(), [2])
    await allowance.advance(5 * HOUR)
    assert.deepEqual(await allowance.used(), [0])
    assert.deepEqual(await allowance.everything(), before)
  })

  it('knows when the oldest leave: at the very moment that it says', async () => {
    const allowance = await Allowance.create({ limits: '5/1h' })
    await allowance.advance(10 * SECOND)
    await allowance.answers(1)
    await allowance.advance(20 * MINUTE)
    await allowance.answers(2)
    const [window] = (await allowance.usage()).unregistered
    assert.equal(window?.freesAt, NOON + HOUR + MINUTE)
    await allowance.clock.set(allowance.store, NOON + HOUR + MINUTE - 1)
    assert.deepEqual(await allowance.used(), [3])
    await allowance.advance(1)
    assert.deepEqual(await allowance.used(), [2])
  })

  it('knows when the next recipient fits where the limit is reached', async () => {
    const allowance = await Allowance.create({ limits: '3/1m defer' })
    await allowance.answers(1)
    await allowance.advance(20 * SECOND)
    await allowance.answers(2)
    const [full] = (await allowance.usage()).unregistered
    assert.deepEqual([full?.remaining, full?.freesAt], [0, NOON + 61 * SECOND])
    // Two have to leave where the limit is lower by now.
    await allowance.registry.tenants.set('contoso', { limits: '2/1m defer' })
    const [lowered] = (await allowance.usage()).unregistered
    assert.deepEqual([lowered?.used, lowered?.freesAt], [3, NOON + 81 * SECOND])
    await allowance.clock.set(allowance.store, NOON + 81 * SECOND - 1)
    assert.deepEqual(await allowance.answers(1), ['DEFER'])
    await allowance.advance(1)
    assert.deepEqual(await allowance.answers(1), ['CHARGED'])
  })

  it('knows no moment for a limit of 0', async () => {
    const allowance = await Allowance.create({ limits: '3/1h' })
    await allowance.answers(1)
    await allowance.registry.tenants.set('contoso', { limits: '0/1h' })
    const [window] = (await allowance.usage()).unregistered
    assert.deepEqual([window?.used, window?.remaining, window?.freesAt], [1, 0, undefined])
  })

  it('counts as far as a limit goes', async () => {
    const allowance = await Allowance.create({ limits: '1000000000/366d' })
    await allowance.answers(2)
    const [window] = (await allowance.usage()).unregistered
    assert.deepEqual([window?.used, window?.remaining], [2, 999_999_998])
  })

  it('stays small: one window of a meter takes less than 300 bytes', async () => {
    const allowance = await Allowance.create({ limits: '9/1m' })
    await allowance.answers(9)
    const { client, keys } = allowance.store
    const ring = await client.hgetBuffer(keys.usage('contoso'), 'u60000')
    assert.ok(ring && ring.length < 300, String(ring?.length))
  })
})
