import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Event } from '../../src/records/event'
import { EventStream } from '../../src/events/stream'
import { Store } from '../../src/store/store'
import { NOON, TestClock } from '../support/clock'
import { entries, factsOf } from '../support/events'
import { newSite, theRedis, useRedis } from '../support/registry'
import { runs, SEED } from '../support/seed'

const MINUTE = 60_000
const QUARTER = 15 * MINUTE
const DAY = 96 * QUARTER

/** A step of the model. `publish` names an event by its number: the same number is the same event. */
type Step =
  | { readonly do: 'publish'; readonly event: number }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'close' }

interface Group {
  readonly key: string
  readonly alert: string
  readonly over: number
  count: number
}

/** The stream, as plain lists. */
class Model {
  readonly entries: string[] = []
  readonly open = new Set<string>()
  private readonly known = new Set<string>()
  private readonly alerts = new Map<string, Group>()
  private readonly current = new Map<string, Group>()

  publish(tenant: string, event: Event, now: number): void {
    if (this.known.has(event.id)) return
    this.known.add(event.id)
    const key = keyOf(tenant, event)
    let group = this.current.get(key)
    const lasts = group ? group.over - now : 0
    // A group that ends too late began before the clock was set back.
    const goesOn = lasts > 0 && lasts <= 2 * QUARTER
    if (group && this.alerts.has(group.alert) && goesOn) group.count++
    else group = { key, alert: event.id, over: now + QUARTER, count: 1 }
    this.alerts.set(group.alert, group)
    this.current.set(key, group)
    this.entries.push(line(group.alert, group.count, group.count > 1))
    if (event.kind === 'restricted') {
      this.open.add(`restricted ${tenant} `)
      this.current.delete(`${tenant} lifted`)
    } else if (event.kind === 'lifted') {
      this.open.delete(`restricted ${tenant} `)
      for (const each of ['false', 'true']) this.current.delete(`${tenant} restricted ${each}`)
    } else if (event.kind === 'allowance') {
      this.open.add(`allowance ${tenant} ${event.id}`)
    } else if (event.kind === 'unusual') {
      this.open.add(`unusual ${tenant} ${event.rule}`)
    } else if (event.kind === 'resolved') {
      const what = event.of === 'allowance' ? event.resolves : event.rule
      this.open.delete(`${event.of} ${tenant} ${what}`)
    }
  }

  close(now: number): void {
    const due = [...this.alerts.values()]
      .filter(({ over }) => over <= now)
      .sort((a, b) => a.over - b.over || a.alert.localeCompare(b.alert))
    for (const { alert, count } of due) {
      if (count > 1) this.entries.push(line(alert, count, false))
      this.alerts.delete(alert)
    }
  }
}

function keyOf(tenant: string, event: Event): string {
  switch (event.kind) {
    case 'allowance':
      return `${tenant} allowance ${event.percent} ${event.meter}`
    case 'restricted':
      return `${tenant} restricted ${event.probation === true}`
    case 'unusual':
      return `${tenant} unusual ${event.rule}`
    case 'resolved':
      return `${tenant} resolved ${event.of} ${event.percent} ${event.rule} ${event.meter}`
    case 'test':
      return `${tenant} test ${event.id}`
    default:
      return `${tenant} ${event.kind}`
  }
}

function line(alert: string, count: number, joined: boolean): string {
  return `${alert} ${count}${joined ? ' joined' : ''}`
}

const TENANTS = ['contoso', 'fabrikam']
const KINDS: readonly Record<string, unknown>[] = [
  { kind: 'allowance', percent: 50 },
  { kind: 'allowance', percent: 95 },
  { kind: 'allowance', percent: 95, meter: 'forwarded' },
  { kind: 'restricted' },
  { kind: 'restricted', probation: true },
  { kind: 'lifted' },
  { kind: 'unusual', rule: 'domains' },
  { kind: 'resolved', of: 'unusual', rule: 'domains', percent: undefined },
  { kind: 'resolved', of: 'allowance', percent: 50 },
  { kind: 'resolved', of: 'allowance', percent: 50, meter: 'forwarded' },
  { kind: 'test' },
]
const EVENTS = 2 * KINDS.length * TENANTS.length

/** The event with a number, which decides all its fields. */
function eventOf(number: number): readonly [string, Event] {
  const facts = KINDS[number % KINDS.length]!
  const tenant = TENANTS[number % TENANTS.length]!
  // What it ends, if anything, is one of the events that open.
  const resolves = idOf((number * 7) % EVENTS)
  const event = { ...factsOf(facts['kind'] as Event['kind']), resolves, ...facts }
  return [tenant, { ...event, id: idOf(number), at: NOON } as unknown as Event]
}

function idOf(number: number): string {
  return `evt_${number.toString(16).padStart(20, '0')}`
}

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.nat(EVENTS - 1).map((event) => ({ do: 'publish', event }) as const),
    },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom(MINUTE, QUARTER - 1, QUARTER, QUARTER + 1, 40 * MINUTE, -MINUTE, DAY, -DAY)
        .map((ms) => ({ do: 'advance', ms }) as const),
    },
    { weight: 2, arbitrary: fc.constant({ do: 'close' } as const) },
  ),
  { maxLength: 40 },
)

async function follow(model: Model, store: Store, clock: TestClock, step: Step): Promise<void> {
  const stream = new EventStream(store)
  if (step.do === 'advance') {
    await clock.advance(store, step.ms)
  } else if (step.do === 'close') {
    model.close(clock.now)
    await stream.closeGroups()
  } else {
    const [tenant, event] = eventOf(step.event)
    model.publish(tenant, event, clock.now)
    await stream.publish(tenant, event)
  }
}

useRedis()

describe('the stream of events', () => {
  it('has the same events and alerts as a model of plain lists', async (t) => {
    t.diagnostic(`seed ${SEED}`)
    const client = theRedis().client()
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const clock = new TestClock()
        const { store } = newSite(clock.includes, Store, client)
        await clock.set(store, NOON)
        const model = new Model()
        for (const step of all) await follow(model, store, clock, step)
        const found = await entries(store)
        assert.deepEqual(
          found.map(({ alert: { alert, count }, joined }) => line(alert, count, joined)),
          model.entries,
        )
        const open = await store.client.hkeys(store.keys.eventsOpen)
        assert.deepEqual(
          open.map((field) => field.replaceAll('\t', ' ')).sort(),
          [...model.open].sort(),
        )
        assert.equal(new Set(found.map(({ alert }) => alert.id)).size, found.length)
      }),
      { numRuns: runs(300), seed: SEED },
    )
  })
})
