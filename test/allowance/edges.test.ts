import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RefusedError } from '../../src/base/errors'
import type { Event } from '../../src/records/event'
import { Allowance, DEFAULTS } from '../support/allowance'
import { NOON } from '../support/clock'
import { useRedis } from '../support/registry'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

useRedis()

function told(events: readonly Event[]): string[] {
  return events.map((event) => {
    switch (event.kind) {
      case 'allowance':
        return `${event.percent} % of ${event.limit}`
      case 'resolved':
        return `below ${event.percent} %`
      default:
        return event.kind
    }
  })
}

describe('an edge of the allowance', () => {
  it('is told with the recipient that reaches it, and once', async () => {
    const allowance = await Allowance.create({ limits: '20/1h' })
    const reached: unknown[] = []
    for (let at = 0; at < 20; at++) reached.push(...(await allowance.charge()).edges)
    const edge = { limit: 20, window: HOUR }
    assert.deepEqual(reached, [
      { ...edge, used: 10, percent: 50 },
      { ...edge, used: 16, percent: 80 },
      { ...edge, used: 19, percent: 95 },
    ])
    assert.deepEqual(told(await allowance.events()), ['50 % of 20', '80 % of 20', '95 % of 20'])
  })

  it('says who reached it', async () => {
    const allowance = await Allowance.create({ limits: '2/1h, 9/1d' })
    await allowance.charge({ domain: 'odd.example', connector: 'contoso/mx', ip: '2001:db8::1' })
    const [event, ...others] = await allowance.events()
    assert.match(event!.id, /^evt_[\da-f]{20}$/)
    assert.deepEqual(
      { ...event, id: '' },
      {
        ...{ id: '', kind: 'allowance', at: NOON },
        ...{ percent: 50, window: HOUR, limit: 2, used: 1 },
        ...{ domain: 'odd.example', connector: 'contoso/mx', ip: '2001:db8::1' },
      },
    )
    assert.deepEqual(others, [])
  })

  it('is told for each window', async () => {
    const allowance = await Allowance.create({ limits: '4/1h, 5/1d' })
    await allowance.answers(3)
    assert.deepEqual(told(await allowance.events()), ['50 % of 4', '50 % of 5'])
  })

  it('ends when the window has fallen below it, and may then be reached again', async () => {
    const allowance = await Allowance.create({ limits: '4/1h' })
    await allowance.answers(2)
    await allowance.advance(2 * HOUR)
    await allowance.answers(1)
    const [first, second] = await allowance.events()
    assert.ok(second?.kind === 'resolved')
    assert.deepEqual(
      [second.resolves, second.of, second.percent, second.window],
      [first?.id, 'allowance', 50, HOUR],
    )
    await allowance.answers(1)
    const events = await allowance.events()
    assert.deepEqual(told(events), ['50 % of 4', 'below 50 %', '50 % of 4'])
    assert.equal(new Set(events.map(({ id }) => id)).size, 3)
  })

  it('is not told again and again by a client that has recipients given back and counted anew', async () => {
    const allowance = await Allowance.create({ limits: '20/1h' })
    await allowance.answers(8)
    for (let at = 0; at < 5; at++) {
      const transaction = allowance.transaction()
      const ordinals = [1, 2, 3]
      for (const ordinal of ordinals) await allowance.charge({ transaction, ordinal })
      await allowance.ledger.refund('contoso', transaction, ordinals)
    }
    assert.deepEqual(told(await allowance.events()), ['50 % of 20'])
  })

  it('is not reached by a preview, or nothing of none', async () => {
    const allowance = await Allowance.create({ limits: '0/1h', nullLimits: '0/1h' })
    await allowance.answers(2, { meter: 'null' })
    await allowance.answers(2)
    await allowance.registry.tenants.set('contoso', { limits: '2/1h' })
    await allowance.ledger.preview(await allowance.recipient(), DEFAULTS)
    assert.deepEqual(await allowance.events(), [])
  })

  it('is not told where no percentages are', async () => {
    const allowance = await Allowance.create({ limits: '2/1h' })
    await allowance.answers(2, { defaults: { warnAt: [] } })
    assert.deepEqual(await allowance.events(), [])
  })

  it('of the null sender is told as that, up to the recipient that fills it', async () => {
    const allowance = await Allowance.create({ nullLimits: '20/1h, 40/1d' })
    const reached: number[][] = []
    for (let at = 0; at < 22; at++) {
      const { edges } = await allowance.charge({ meter: 'null' })
      for (const { used, window, percent } of edges) reached.push([used, window, percent])
    }
    assert.deepEqual(reached, [
      [10, HOUR, 50],
      [16, HOUR, 80],
      [19, HOUR, 95],
      [20, HOUR, 100],
      [20, DAY, 50],
    ])
    const facts = (await allowance.events()).map((event) =>
      event.kind === 'allowance' ? [event.meter, event.percent, event.window] : event.kind,
    )
    assert.deepEqual(facts, [
      ['null', 50, HOUR],
      ['null', 80, HOUR],
      ['null', 95, HOUR],
      ['null', 100, HOUR],
      ['null', 50, DAY],
    ])
  })

  it('of the null sender tells that it is full where no percentages are, and one of 100 once', async () => {
    for (const warnAt of [[], [100]]) {
      const allowance = await Allowance.create({ nullLimits: '2/1h' })
      await allowance.answers(3, { meter: 'null', defaults: { warnAt } })
      assert.deepEqual(told(await allowance.events()), ['100 % of 2'])
    }
  })

  it('of the null sender is told in monitor, too, and ends as any other', async () => {
    const allowance = await Allowance.create({ nullLimits: '2/1h', mode: 'monitor' })
    await allowance.answers(4, { meter: 'null' })
    await allowance.advance(2 * HOUR)
    await allowance.answers(1, { meter: 'null' })
    assert.deepEqual(told(await allowance.events()).sort(), [
      '100 % of 2',
      '50 % of 2',
      'below 100 %',
    ])
  })

  it('waits for who fetches it up to a bound', async () => {
    const allowance = await Allowance.create({ limits: '1/1m defer' })
    const { client, keys } = allowance.store
    await client.hset(keys.tenant('contoso'), 'events', 'x'.repeat(65_536))
    await allowance.answers(1)
    assert.equal(await client.hstrlen(keys.tenant('contoso'), 'events'), 65_536)
  })
})

describe('a trip', () => {
  it('opens a case and tells what it was, in the same call', async () => {
    const allowance = await Allowance.create({ limits: '3/1h, 9/1d' })
    await allowance.answers(3, { defaults: { warnAt: [] } })
    const recipient = await allowance.recipient({ domain: 'spam.example', ip: '192.0.2.7' })
    const { answer, case: opened } = await allowance.ledger.charge(recipient, DEFAULTS)
    assert.deepEqual([answer, opened], ['TRIPPED', 'contoso:1'])
    const restriction = await allowance.restriction()
    assert.equal(restriction?.case, 'contoso:1')
    const [event] = await allowance.events()
    const trigger = { window: HOUR, limit: 3, used: 3 }
    assert.deepEqual(
      { ...event, id: '' },
      {
        ...{ id: '', kind: 'restricted', at: NOON, scope: 'unregistered', by: 'automatic' },
        ...{ reason: 'allowance of 3/1h exceeded', case: 'contoso:1', probation: false },
        transaction: recipient.transaction,
        trigger: { ...trigger, domain: 'spam.example', connector: 'contoso/mx', ip: '192.0.2.7' },
        windows: [trigger, { window: DAY, limit: 9, used: 3 }],
      },
    )
  })

  it('is answered with its case again, and so is what comes after it', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.charge()
    const recipient = await allowance.recipient()
    const first = await allowance.ledger.charge(recipient, DEFAULTS)
    assert.deepEqual(await allowance.ledger.charge(recipient, DEFAULTS), first)
    const after = await allowance.charge()
    assert.deepEqual([after.answer, after.case], ['RESTRICTED', 'contoso:1'])
  })

  it('has a case of its own each time', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.answers(2)
    await allowance.lift()
    await allowance.answers(2)
    assert.equal((await allowance.restriction())?.case, 'contoso:2')
  })
})

describe('a restriction placed by hand', () => {
  it('opens a case, and keeps it when it is widened', async () => {
    const allowance = await Allowance.create()
    await allowance.block('unregistered')
    await allowance.block('all')
    assert.equal((await allowance.restriction())?.case, 'contoso:1')
    const events = await allowance.events()
    assert.deepEqual(told(events), ['restricted'])
    assert.deepEqual(
      { ...events[0], id: '' },
      {
        ...{ id: '', kind: 'restricted', at: NOON, scope: 'unregistered' },
        ...{ by: 'anna', reason: 'abuse desk', case: 'contoso:1' },
      },
    )
    assert.equal((await allowance.charge()).case, 'contoso:1')
  })
})

describe('a lift', () => {
  it('names what it ends, and ends the edges that it wipes', async () => {
    const allowance = await Allowance.create({ limits: '2/1h' })
    await allowance.answers(3)
    await allowance.lift()
    const events = await allowance.events()
    // Of two recipients the second reaches all three at once; the highest is told.
    assert.deepEqual(told(events), [
      ...['50 % of 2', '95 % of 2', 'restricted', 'lifted'],
      ...['below 50 %', 'below 95 %'],
    ])
    const lifted = events[3]
    assert.ok(lifted?.kind === 'lifted')
    assert.deepEqual(
      [lifted.by, lifted.reason, lifted.case, lifted.resolves, lifted.probation],
      ['anna', 'cleaned', 'contoso:1', events[2]?.id, undefined],
    )
  })

  it('leaves edges open where the usage is kept', async () => {
    const allowance = await Allowance.create({ limits: '2/1h' })
    await allowance.answers(3)
    await allowance.lift(true)
    assert.deepEqual(told(await allowance.events()).at(-1), 'lifted')
  })

  it('ends a restriction that is older than cases', async () => {
    const allowance = await Allowance.create()
    const { client, keys } = allowance.store
    await allowance.block('unregistered')
    await client.hdel(keys.restriction('contoso'), 'case', 'event')
    assert.equal(await allowance.lift(), 'lifted')
    const lifted = (await allowance.events()).at(-1)
    assert.ok(lifted?.kind === 'lifted')
    assert.deepEqual([lifted.case, lifted.resolves], ['', ''])
  })
})

describe('probation', () => {
  const terms = { limits: '2/1h', duration: 7 * DAY }

  it('holds the tenant to a smaller allowance, until it is over', async () => {
    const allowance = await Allowance.create({ limits: '5/1h' })
    await allowance.answers(6)
    assert.equal(await allowance.lift(false, 'contoso', terms), 'lifted')
    const usage = await allowance.usage()
    assert.deepEqual(usage.probation, {
      ...{ until: NOON + 7 * DAY, limits: '2/1h', case: 'contoso:1' },
    })
    assert.deepEqual(
      usage.unregistered.map(({ limit }) => limit),
      [2],
    )
    assert.deepEqual(await allowance.answers(2), ['CHARGED', 'CHARGED'])
    await allowance.advance(7 * DAY - 1)
    assert.equal((await allowance.usage()).unregistered[0]?.limit, 2)
    await allowance.advance(1)
    assert.equal((await allowance.usage()).unregistered[0]?.limit, 5)
    assert.equal((await allowance.usage()).probation, undefined)
    assert.deepEqual(await allowance.answers(5), Array(5).fill('CHARGED'))
  })

  it('tells a second trip apart', async () => {
    const allowance = await Allowance.create({ limits: '5/1h' })
    await allowance.answers(6)
    await allowance.lift(false, 'contoso', terms)
    assert.deepEqual(await allowance.answers(3), ['CHARGED', 'CHARGED', 'TRIPPED'])
    const restriction = await allowance.restriction()
    assert.equal(restriction?.reason, 'allowance of 2/1h exceeded within probation')
    assert.equal(restriction.onProbation, true)
    const again = (await allowance.events()).at(-1)
    assert.ok(again?.kind === 'restricted' && again.probation === true)
  })

  it('ends with the next lift that gives none, of a tenant that is not restricted, too', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.answers(2)
    await allowance.lift(false, 'contoso', terms)
    assert.equal(await allowance.lift(), 'ended')
    assert.equal((await allowance.usage()).probation, undefined)
    assert.equal(await allowance.lift(), 'unchanged')
  })

  it('never allows more than the tenant may anyway, in no window', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.answers(2)
    await allowance.registry.tenants.set('contoso', { limits: '3/1d, 9/1h' })
    await allowance.lift(false, 'contoso', { limits: '10/1h, 2/1m', duration: 7 * DAY })
    const limits = (await allowance.usage()).unregistered.map(({ limit, window }) => [
      limit,
      window,
    ])
    assert.deepEqual(limits, [
      [3, DAY],
      [9, HOUR],
      [2, HOUR / 60],
    ])
    assert.deepEqual(await allowance.answers(2), ['CHARGED', 'CHARGED'])
    await allowance.advance(HOUR)
    assert.deepEqual(await allowance.answers(2), ['CHARGED', 'TRIPPED'])
  })

  it('is not ended by who asks for one, or lifts a case that is lifted already', async () => {
    const allowance = await Allowance.create({ limits: '5/1h' })
    await allowance.answers(6)
    const act = { by: 'bob', reason: 'clean', keepUsage: false }
    const { restrictions } = allowance
    await allowance.lift(false, 'contoso', terms)
    assert.equal(await allowance.lift(false, 'contoso', terms), 'unchanged')
    assert.equal(await restrictions.lift('contoso', { ...act, seen: 'contoso:1' }), 'unchanged')
    assert.notEqual((await allowance.usage()).probation, undefined)
    assert.equal(await restrictions.lift('contoso', { ...act, seen: '' }), 'ended')
  })

  it('comes of the case that was looked at, and of no other', async () => {
    const allowance = await Allowance.create({ limits: '5/1h' })
    const act = { by: 'bob', reason: 'clean', keepUsage: false }
    const { restrictions } = allowance
    await allowance.block('unregistered')
    for (const seen of ['', 'contoso:2']) {
      await assert.rejects(restrictions.lift('contoso', { ...act, seen }), RefusedError)
    }
    assert.notEqual(await allowance.restriction(), undefined)
    assert.equal(await restrictions.lift('contoso', { ...act, seen: 'contoso:1' }), 'lifted')
  })

  it('does not touch the null sender', async () => {
    const allowance = await Allowance.create({ limits: '1/1h', nullLimits: '3/1h' })
    await allowance.answers(2)
    await allowance.lift(false, 'contoso', terms)
    assert.equal((await allowance.usage()).null[0]?.limit, 3)
    assert.deepEqual(await allowance.answers(3, { meter: 'null' }), Array(3).fill('CHARGED'))
  })
})
