import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { Alert, ResolvedEvent } from '../../src/records/event'
import { Forwarder } from '../../src/events/forwarder'
import { resolveEnded } from '../../src/events/sweep'
import type { MessageCharge } from '../../src/allowance/ledger'
import { parseLimits } from '../../src/mail/limits'
import type { Store } from '../../src/store/store'
import { Allowance, DEFAULTS } from '../support/allowance'
import { entries } from '../support/events'
import { useRedis } from '../support/registry'
import { removeTenant } from '../../src/registry/tenant-removal'

const HOUR = 3_600_000
/** How long an edge of an hour's window stays open at least. */
const QUARTER = HOUR / 4

useRedis()

let allowance: Allowance
let forwarder: Forwarder
let limits: string

beforeEach(async () => {
  limits = '10/1h'
  allowance = await Allowance.create({ limits: '10/1h' })
  forwarder = forwarderOf(allowance.store)
})

function forwarderOf(store: Store): Forwarder {
  return new Forwarder(store, () => Promise.resolve(), {
    onAlert() {},
    onError: (message) => assert.fail(message),
  })
}

async function sweep(by = forwarder): Promise<void> {
  await resolveEnded(allowance.store, by, () => ({
    ...DEFAULTS,
    limits: parseLimits(limits),
  })).run()
  await by.whenIdle()
}

async function alerts(kind: string): Promise<Alert[]> {
  await forwarder.forward('contoso')
  return (await entries(allowance.store))
    .map(({ alert }) => alert)
    .filter((each) => each.kind === kind)
}

/** `PERCENT of EVENT` of each resolved edge. */
async function resolved(): Promise<string[]> {
  return (await alerts('resolved')).map(({ resolves, facts }) => {
    const { percent } = facts as Partial<ResolvedEvent>
    return `${percent} of ${resolves}`
  })
}

/** The same of each edge reached. */
async function reached(): Promise<string[]> {
  return (await alerts('allowance')).map(({ id, facts }) => `${String(facts['percent'])} of ${id}`)
}

/** Charges a message to five recipients, half of what each meter allows. */
async function chargeHalf(meter: MessageCharge['meter']): Promise<void> {
  const { domain, connector, ip } = await allowance.recipient()
  await allowance.ledger.chargeMessage(
    {
      ...{ tenant: 'contoso', transaction: allowance.transaction(), domain, connector, ip },
      ...{ meter, ordinals: [1, 2, 3, 4, 5], signatures: ['signature'] },
    },
    DEFAULTS,
  )
}

function open(): Promise<Record<string, string>> {
  const { client, keys } = allowance.store
  return client.hgetall(keys.eventsOpen)
}

describe('the sweep', () => {
  it('resolves an edge once, when its window has emptied', async () => {
    await allowance.answers(9)
    const edges = await reached()
    assert.equal(edges.length, 2)
    await sweep()
    await allowance.advance(HOUR - 1)
    await sweep()
    assert.deepEqual(await resolved(), [])
    await allowance.advance(2 * 60_000)
    await sweep()
    await sweep()
    assert.deepEqual((await resolved()).sort(), edges.sort())
    assert.deepEqual(await open(), {})
  })

  it('lets an edge be raised again when it is reached again', async () => {
    await allowance.answers(5)
    const [first] = await reached()
    await allowance.advance(2 * HOUR)
    await sweep()
    await allowance.answers(5)
    const both = await reached()
    assert.equal(both.length, 2)
    assert.equal(both[0], first)
    await allowance.advance(2 * HOUR)
    await sweep()
    assert.deepEqual((await resolved()).sort(), both.sort())
  })

  it('uses the limit in effect: a raised one, none, and that of a probation', async () => {
    for (const settings of [{ limits: '100/1h' }, { limits: 'unlimited' }]) {
      allowance = await Allowance.create({ limits: '10/1h' })
      forwarder = forwarderOf(allowance.store)
      await allowance.answers(5)
      const edges = await reached()
      await allowance.registry.tenants.set('contoso', settings)
      await sweep()
      assert.deepEqual(await resolved(), [])
      await allowance.advance(QUARTER)
      await sweep()
      assert.deepEqual(await resolved(), edges)
    }
    allowance = await Allowance.create({ limits: '100/1h' })
    forwarder = forwarderOf(allowance.store)
    await allowance.block('unregistered')
    await allowance.lift(false, 'contoso', { limits: '10/1h', duration: HOUR / 2 })
    await allowance.answers(5)
    const edges = await reached()
    assert.equal(edges.length, 1)
    await sweep()
    assert.deepEqual(await resolved(), [])
    await allowance.advance(HOUR / 2)
    await sweep()
    assert.deepEqual(await resolved(), edges)
  })

  it('uses the default limit of a tenant without its own', async () => {
    allowance = await Allowance.create({})
    forwarder = forwarderOf(allowance.store)
    await allowance.answers(5, { defaults: { limits: parseLimits('10/1h') } })
    const edges = await reached()
    await sweep()
    assert.deepEqual(await resolved(), [])
    limits = '100/1h'
    await allowance.advance(QUARTER)
    await sweep()
    assert.deepEqual(await resolved(), edges)
  })

  it('uses the null sender limits in effect: the set ones, and a tenth of them while restricted', async () => {
    allowance = await Allowance.create({ nullLimits: '40/1h' })
    forwarder = forwarderOf(allowance.store)
    await allowance.block('unregistered')
    assert.deepEqual(await allowance.answers(2, { meter: 'null' }), ['CHARGED', 'CHARGED'])
    const edges = await reached()
    assert.equal(edges.length, 1)
    await allowance.advance(QUARTER)
    await sweep()
    assert.deepEqual(await resolved(), [])
    await allowance.registry.tenants.set('contoso', { mode: 'monitor' })
    await sweep()
    assert.deepEqual(await resolved(), edges)
  })

  it('resolves an edge ended by a lift once, even before the lift is published', async () => {
    await allowance.answers(9)
    const edges = await reached()
    await allowance.block('unregistered')
    await alerts('restricted')
    await allowance.lift()
    // The lift is not published yet: the edges that it ended wait, and the sweep finds them missing.
    await sweep()
    await sweep()
    assert.deepEqual((await resolved()).sort(), edges.sort())
    assert.deepEqual(await open(), {})
    assert.equal((await alerts('lifted')).length, 1)
  })

  it('resolves the edges of deleted usage and of a removed tenant', async () => {
    const { client, keys } = allowance.store
    await allowance.answers(9)
    const edges = await reached()
    await client.del(keys.usage('contoso'))
    await sweep()
    await sweep()
    assert.deepEqual((await resolved()).sort(), edges.sort())

    await allowance.answers(5)
    const all = await reached()
    await removeTenant(allowance.registry.store, 'contoso')
    await sweep()
    await sweep()
    assert.deepEqual((await resolved()).sort(), all.sort())
    assert.deepEqual(await open(), {})
    assert.equal(await client.exists(keys.tenant('contoso')), 0)
  })

  it('names the meter of an edge, whatever ended it', async () => {
    const ways: Readonly<Record<string, (allowance: Allowance) => Promise<unknown>>> = {
      'its window has emptied': (each) => each.advance(2 * HOUR),
      'the restriction was lifted': async (each) => {
        await each.block('unregistered')
        await each.lift()
      },
      'the usage is gone': ({ store }) => store.client.del(store.keys.usage('contoso')),
      'the tenant is gone': ({ registry }) => removeTenant(registry.store, 'contoso'),
    }
    for (const [way, end] of Object.entries(ways)) {
      allowance = await Allowance.create({
        limits: '10/1h',
        forwardedLimits: '10/1h',
        nullLimits: '10/1h',
      })
      forwarder = forwarderOf(allowance.store)
      await chargeHalf('unregistered')
      await chargeHalf('forwarded')
      await allowance.answers(5, { meter: 'null' })
      assert.equal((await reached()).length, 3)
      await end(allowance)
      await sweep()
      const titles = (await alerts('resolved')).map(({ title, facts }) => [facts['meter'], title])
      const below = 'contoso is below 50 % of its allowance in 1h'
      assert.deepEqual(
        titles.sort(),
        [
          [undefined, `${below} again`],
          ['forwarded', `${below} for forwarded mail again`],
          ['null', `${below} for the null sender again`],
        ],
        way,
      )
    }
  })

  it('resolves each edge once if several processes sweep at once', async () => {
    const others = Array.from({ length: 4 }, () => forwarderOf(allowance.store))
    for (let round = 0; round < 5; round++) {
      await allowance.answers(9)
      await forwarder.forward('contoso')
      await allowance.advance(2 * HOUR)
      await Promise.all(others.map((each) => sweep(each)))
    }
    assert.deepEqual((await resolved()).sort(), (await reached()).sort())
    assert.equal((await reached()).length, 10)
  })
})
