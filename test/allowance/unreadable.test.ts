import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { ChargeResult } from '../../src/allowance/charge-answer'
import type { UnreadableEvent } from '../../src/records/event'
import { Forwarder } from '../../src/events/forwarder'
import { resolveEnded } from '../../src/events/sweep'
import { Allowance, DEFAULTS, type ChargeOptions } from '../support/allowance'
import { useRedis } from '../support/registry'

const HOUR = 3_600_000

useRedis()

let allowance: Allowance

beforeEach(async () => {
  allowance = await Allowance.create({ limits: '10/1h', nullLimits: '10/1h' })
})

/** 256 octets: newest bucket, total, and counts, of which all are in one bucket. */
function ring(newest: number, total: number, count = total): Buffer {
  const octets = Buffer.alloc(256)
  octets.writeDoubleLE(newest, 0)
  octets.writeUInt32LE(total, 8)
  octets.writeUInt32LE(count, 12 + 4 * (newest % 61 || 0))
  return octets
}

const BAD: Readonly<Record<string, Buffer>> = {
  'nothing at all': Buffer.alloc(0),
  'a number': Buffer.from('12'),
  text: Buffer.from('x'.repeat(256)),
  'one that is too short': ring(29_000_000, 1).subarray(1),
  'one that is too long': Buffer.concat([ring(29_000_000, 1), Buffer.alloc(1)]),
  'one of no time': ring(NaN, 1),
  'one of a time that never ends': ring(Infinity, 1),
  'one of a time before all': ring(-61, 1),
  'one of a time between two buckets': ring(0.5, 1),
  'one of a time beyond counting': ring(1e300, 1),
}

async function put(field: string, octets: Buffer): Promise<void> {
  const { client, keys } = allowance.store
  await client.hset(keys.usage('contoso'), field, octets)
}

async function told(): Promise<(number | string | undefined)[][]> {
  return (await allowance.events())
    .filter((event): event is UnreadableEvent => event.kind === 'unreadable')
    .map(({ meter, window, until }) => [meter, window, until])
}

function settle(meter: 'unregistered' | 'forwarded', transaction = allowance.transaction()) {
  return allowance.ledger.chargeMessage(
    {
      ...{ tenant: 'contoso', transaction, meter, ordinals: [1], signatures: [transaction] },
      ...{ domain: 'other.example', connector: 'contoso/mx', ip: '192.0.2.1' },
    },
    DEFAULTS,
  )
}

/** By the field of the usage: what asks for it, and what is answered until the window has passed. */
const METERS: Readonly<
  Record<string, { meter: string | undefined; answer: string; ask: () => Promise<ChargeResult> }>
> = {
  u3600000: { meter: undefined, answer: 'DEFER', ask: () => allowance.charge() },
  n3600000: { meter: 'null', answer: 'FULL', ask: () => allowance.charge({ meter: 'null' }) },
  f3600000: { meter: 'forwarded', answer: 'DEFER', ask: () => settle('forwarded') },
}

describe('a ring that cannot be read', () => {
  for (const [field, { meter, answer, ask }] of Object.entries(METERS)) {
    it(`lets nothing through for a window, restricts nobody and is told once: ${field}`, async () => {
      for (const [what, octets] of Object.entries(BAD)) {
        allowance = await Allowance.create({ nullLimits: '10/1h', limits: '10/1h' })
        if (field === 'f3600000') {
          await allowance.registry.tenants.set('contoso', { forwardedLimits: '10/1h' })
        }
        const { now } = allowance.clock
        await put(field, octets)
        assert.equal((await ask()).answer, answer, what)
        assert.equal((await ask()).answer, answer, what)
        assert.deepEqual(await told(), [[meter, HOUR, now + HOUR]], what)
        await allowance.advance(HOUR - 1)
        assert.equal((await ask()).answer, answer, what)
        await allowance.advance(1)
        assert.match((await ask()).answer, /^(CHARGED|FORWARDED)$/, what)
        assert.equal((await told()).length, 1, what)
        assert.equal(await allowance.restriction(), undefined, what)
      }
    })
  }

  it('of holds starts afresh at once: they count for no limit', async () => {
    await allowance.registry.tenants.set('contoso', { forwardedLimits: '10/1h' })
    for (const [at, octets] of Object.values(BAD).entries()) {
      await put('h600000', octets)
      const transaction = allowance.transaction()
      assert.equal((await allowance.charge({ transaction })).answer, 'HELD')
      assert.equal((await allowance.usage()).held, 1)
      await put('h600000', octets)
      assert.equal((await settle('forwarded', transaction)).answer, 'FORWARDED')
      assert.equal((await told()).length, at + 1)
    }
    assert.deepEqual((await told())[0], ['held', 600_000, undefined])
  })

  it('is read as an empty one, and written by nobody who only reads or gives back', async () => {
    await allowance.registry.tenants.set('contoso', { forwardedLimits: '10/1h' })
    const fields = ['u3600000', 'f3600000', 'n3600000', 'h600000']
    const transaction = allowance.transaction()
    await allowance.charge({ transaction, meter: 'null' })
    for (const octets of Object.values(BAD)) {
      for (const field of fields) await put(field, octets)
      const before = await allowance.everything()
      const { unregistered, forwarded, null: bounces, held } = await allowance.usage()
      const all = [...unregistered, ...forwarded!, ...bounces]
      assert.deepEqual([all.map(({ used }) => used), held], [[0, 0, 0], 0])
      const dry = await allowance.ledger.preview(
        await allowance.recipient({ meter: 'null' }),
        DEFAULTS,
      )
      assert.equal(dry.answer, 'FULL')
      assert.deepEqual(await allowance.everything(), before)
    }
    assert.equal(await allowance.ledger.refund('contoso', transaction, [1]), 1)
    assert.deepEqual(await told(), [])
  })

  it('has its edges end when it has been started afresh, and not before', async () => {
    await allowance.answers(9)
    await put('u3600000', Buffer.from('x'))
    const { store } = allowance
    const forwarder = new Forwarder(store, () => Promise.resolve(), {
      onAlert() {},
      onError: (message) => assert.fail(message),
    })
    await forwarder.forward('contoso')
    await allowance.advance(HOUR / 2)
    const sweep = resolveEnded(store, forwarder, () => DEFAULTS)
    await sweep.run()
    assert.deepEqual(await allowance.events(), [])
    await allowance.charge()
    await sweep.run()
    await forwarder.whenIdle()
    assert.deepEqual(await store.client.hgetall(store.keys.eventsOpen), {})
  })

  it('is one whose total is not the sum of its buckets, where that would refuse or free somebody', async () => {
    const minute = Math.floor(allowance.clock.now / 60_000)
    await put('u3600000', ring(minute, 10, 9))
    assert.equal((await allowance.charge()).answer, 'DEFER')
    allowance = await Allowance.create({ limits: '10/1h' })
    await put('u3600000', ring(minute - 60, 3, 5))
    assert.equal((await allowance.charge()).answer, 'CHARGED')
    await allowance.advance(60_000)
    assert.equal((await allowance.charge()).answer, 'DEFER')
    assert.equal((await told()).length, 1)
  })

  it('counts from zero in monitor, and is told there, too', async () => {
    const monitor: ChargeOptions = { defaults: { mode: 'monitor' } }
    await put('u3600000', Buffer.from('x'))
    assert.deepEqual(await allowance.answers(3, monitor), ['CHARGED', 'CHARGED', 'CHARGED'])
    assert.deepEqual(await allowance.used(), [3])
    assert.equal((await told()).length, 1)
  })

  it('leaves the other windows and meters as they are, and a trip by them', async () => {
    await allowance.registry.tenants.set('contoso', { limits: '10/1h, 12/1d' })
    await allowance.answers(9)
    await put('u86400000', Buffer.from('x'))
    assert.deepEqual(await allowance.answers(2), ['DEFER', 'DEFER'])
    assert.deepEqual(await allowance.used(), [9, 0])
    assert.equal((await allowance.charge({ meter: 'null' })).answer, 'CHARGED')
    await put('u3600000', ring(Math.floor(allowance.clock.now / 60_000), 10))
    assert.equal((await allowance.charge()).answer, 'TRIPPED')
  })

  it('is over with an unblock, also of a tenant that is not restricted', async () => {
    for (const keepUsage of [false, true]) {
      await put('u3600000', Buffer.from('x'))
      assert.equal((await allowance.charge()).answer, 'DEFER')
      assert.equal(await allowance.lift(keepUsage), 'lifted')
      assert.equal((await allowance.charge()).answer, 'CHARGED')
      assert.equal(await allowance.lift(keepUsage), 'unchanged')
    }
  })
})
