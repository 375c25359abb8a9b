import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NotFoundError, RefusedError } from '../../src/base/errors'
import { decodeRestriction, Restrictions } from '../../src/allowance/restriction'
import { parseTrigger } from '../../src/mail/trigger'
import { Allowance } from '../support/allowance'
import { NOON } from '../support/clock'
import { errorOf, theRedis, useRedis } from '../support/registry'
import { removeTenant } from '../../src/registry/tenant-removal'

const HOUR = 3_600_000

useRedis()

const place = { scope: 'unregistered', by: 'anna', reason: 'abuse desk: 4711' } as const

async function stateOf({ store }: Allowance): Promise<string | null> {
  return store.client.hget(store.keys.tenant('contoso'), 'state')
}

describe('placing', () => {
  it('restricts a tenant, with who and why', async () => {
    const { restrictions } = await Allowance.create()
    assert.equal(await restrictions.get('contoso'), undefined)
    assert.equal(await restrictions.place('contoso', place), 'placed')
    assert.deepEqual(await restrictions.get('contoso'), {
      tenant: 'contoso',
      since: NOON,
      by: 'anna',
      reason: 'abuse desk: 4711',
      scope: 'unregistered',
      trigger: undefined,
      case: 'contoso:1',
      onProbation: false,
    })
  })

  it('again changes nothing', async () => {
    const allowance = await Allowance.create()
    const { restrictions } = allowance
    await restrictions.place('contoso', place)
    const [before, state] = [await restrictions.get('contoso'), await stateOf(allowance)]
    await allowance.advance(1000)
    const again = { ...place, by: 'bob', reason: 'other' }
    assert.equal(await restrictions.place('contoso', again), 'unchanged')
    assert.deepEqual(await restrictions.get('contoso'), before)
    assert.equal(await stateOf(allowance), state)
  })

  it('widens what tripped to all, and keeps what tripped it', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.answers(2)
    await allowance.advance(1000)
    assert.equal(await allowance.block('all'), 'widened')
    const restriction = await allowance.restriction()
    assert.equal(restriction?.scope, 'all')
    assert.equal(restriction?.by, 'anna')
    assert.equal(restriction?.since, NOON + 1000)
    assert.deepEqual(restriction?.trigger, {
      window: HOUR,
      limit: 1,
      used: 1,
      domain: 'other.example',
      connector: 'contoso/mx',
      ip: '192.0.2.1',
    })
  })

  it('never loosens', async () => {
    const { restrictions } = await Allowance.create()
    await restrictions.place('contoso', { ...place, scope: 'all' })
    const error = await errorOf(restrictions.place('contoso', place))
    assert.ok(error instanceof RefusedError)
    assert.match(error.message, /contoso is restricted with scope all.*unblock it first/)
    assert.equal((await restrictions.get('contoso'))?.scope, 'all')
  })

  it('needs the tenant, and writes nothing without it', async () => {
    const allowance = await Allowance.create()
    const before = await allowance.everything()
    const error = await errorOf(allowance.restrictions.place('nobody', place))
    assert.ok(error instanceof NotFoundError)
    assert.match(error.message, /no tenant "nobody"/)
    assert.deepEqual(await allowance.everything(), before)
  })

  it('tells every process', async () => {
    const allowance = await Allowance.create()
    const { client, keys } = allowance.store
    const listener = theRedis().client()
    const heard = new Promise<string>((resolve) =>
      listener.on('message', (_channel, message) => resolve(message)),
    )
    await listener.subscribe(keys.changes)
    await allowance.block('unregistered')
    assert.deepEqual(JSON.parse(await heard), {
      tenant: 'contoso',
      token: await client.hget(keys.tenant('contoso'), 'state'),
      about: 'restriction',
      created: await client.hget(keys.tenant('contoso'), 'createdAt'),
      restriction: await client.hgetall(keys.restriction('contoso')),
    })
  })

  it('leaves no expiry, on a trip neither', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    const { client, keys } = allowance.store
    await allowance.answers(2)
    assert.equal(await client.pttl(keys.restriction('contoso')), -1)
    await allowance.block('all')
    assert.equal(await client.pttl(keys.restriction('contoso')), -1)
    assert.equal(await client.pttl(keys.restricted), -1)
  })
})

describe('lifting', () => {
  it('ends a restriction, starts all windows afresh, and says who did it', async () => {
    const allowance = await Allowance.create({ limits: '1/1h, 9/1d' })
    await allowance.answers(2)
    await allowance.charge({ meter: 'null' })
    const state = await stateOf(allowance)
    await allowance.advance(1000)
    assert.equal(await allowance.lift(), 'lifted')
    assert.equal(await allowance.restriction(), undefined)
    assert.notEqual(await stateOf(allowance), state)
    const usage = await allowance.usage()
    const all = [...usage.unregistered, ...usage.null]
    assert.deepEqual(
      all.map(({ used }) => used),
      [0, 0, 0],
    )
    assert.deepEqual(await allowance.answers(2), ['CHARGED', 'TRIPPED'])
    const { client, keys } = allowance.store
    const lifted = await client.hget(keys.tenant('contoso'), 'lifted')
    assert.equal(lifted, `${NOON + 1000}\tanna\tcleaned`)
  })

  it('may keep the usage: then the next recipient trips again', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.answers(2)
    assert.equal(await allowance.lift(true), 'lifted')
    assert.deepEqual(await allowance.used(), [1])
    assert.deepEqual(await allowance.answers(1), ['TRIPPED'])
    await allowance.advance(HOUR + HOUR / 60)
    await allowance.lift(true)
    assert.deepEqual(await allowance.answers(1), ['CHARGED'])
  })

  it('of what is not restricted changes nothing, the usage neither', async () => {
    const allowance = await Allowance.create()
    await allowance.answers(2)
    const before = await allowance.everything()
    assert.equal(await allowance.lift(), 'unchanged')
    assert.deepEqual(await allowance.everything(), before)
  })

  it('clears the first would-be trip of a tenant in monitor', async () => {
    for (const keepUsage of [false, true]) {
      const allowance = await Allowance.create({ mode: 'monitor', limits: '1/1h' })
      await allowance.answers(2)
      assert.ok((await allowance.usage()).wouldTrip)
      assert.equal(await allowance.lift(keepUsage), 'lifted')
      assert.equal((await allowance.usage()).wouldTrip, undefined)
      assert.deepEqual(await allowance.used(), [keepUsage ? 2 : 0])
      assert.equal(await allowance.lift(), 'unchanged')
      await allowance.answers(2)
      assert.ok((await allowance.usage()).wouldTrip)
    }
  })

  it('needs the tenant', async () => {
    const { restrictions } = await Allowance.create()
    const act = { by: 'anna', reason: 'cleaned', keepUsage: false }
    assert.ok((await errorOf(restrictions.lift('nobody', act))) instanceof NotFoundError)
  })
})

describe('the list', () => {
  it('has all of them, the newest first', async () => {
    const allowance = await Allowance.create()
    const { registry, restrictions } = allowance
    for (const id of ['a', 'b', 'c', 'd']) await registry.tenants.add(id, {}, 'test')
    await restrictions.place('b', place)
    await restrictions.place('a', place)
    await allowance.advance(1000)
    await restrictions.place('d', { ...place, scope: 'all' })
    const listed = await restrictions.list()
    assert.deepEqual(
      listed.map(({ tenant }) => tenant),
      ['d', 'a', 'b'],
    )
    assert.deepEqual(listed[0], await restrictions.get('d'))
    await allowance.lift(false, 'd')
    assert.equal((await restrictions.list()).length, 2)
  })

  it('leaves out what the index names and is not restricted', async () => {
    const { restrictions, store } = await Allowance.create()
    await store.client.sadd(store.keys.restricted, 'contoso', 'nobody')
    assert.deepEqual(await restrictions.list(), [])
  })

  it('is not left with a tenant whose name came late, after the lift', async () => {
    const allowance = await Allowance.create()
    const { restrictions, store } = allowance
    await allowance.block('unregistered')
    await allowance.lift()
    await restrictions.index('contoso')
    assert.deepEqual(await store.client.smembers(store.keys.restricted), [])
  })

  it('keeps a tenant that trips while it is lifted', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    const { restrictions, store } = allowance
    await allowance.answers(2)
    await restrictions.index('contoso')
    const { client } = store
    const srem = client.srem.bind(client)
    // Between the script and the index.
    const busy = Object.create(client) as typeof client
    busy.srem = (async (...args: Parameters<typeof srem>) => {
      await allowance.answers(2)
      return srem(...args)
    }) as typeof srem
    const lifting = new Restrictions(
      Object.assign(Object.create(store) as typeof store, { client: busy }),
    )
    await lifting.lift('contoso', { by: 'anna', reason: 'cleaned', keepUsage: false })
    assert.ok(await restrictions.get('contoso'))
    assert.deepEqual(
      (await restrictions.list()).map(({ tenant }) => tenant),
      ['contoso'],
    )
  })
})

describe('a restriction', () => {
  it('outlives FLUSH of scripts, a changed tenant, and an attempt to remove it', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    const { registry, restrictions, store } = allowance
    await allowance.answers(2)
    const before = await restrictions.get('contoso')
    await store.client.script('FLUSH')
    await registry.tenants.set('contoso', { limits: 'unlimited', mode: 'off' })
    await registry.tenants.set('contoso', { mode: 'enforce' })
    assert.ok((await errorOf(removeTenant(registry.store, 'contoso'))) instanceof RefusedError)
    assert.deepEqual(await restrictions.get('contoso'), before)
    assert.equal((await allowance.charge()).answer, 'RESTRICTED')
  })

  it('is none without a scope', () => {
    assert.equal(decodeRestriction('contoso', {}), undefined)
    assert.equal(decodeRestriction('contoso', { since: '1' }), undefined)
  })

  it('has no trigger without a window, and takes what is missing for empty', () => {
    assert.equal(parseTrigger({ limit: '1' }), undefined)
    assert.deepEqual(parseTrigger({ window: '1000', limit: '2', used: '3' }), {
      ...{ window: 1000, limit: 2, used: 3 },
      ...{ domain: '', connector: '', ip: '' },
    })
  })
})
