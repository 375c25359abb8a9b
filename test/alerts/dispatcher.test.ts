import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Channel, Outcome } from '../../src/alerts/channel'
import { DELIVERED } from '../../src/alerts/channel'
import { Dispatcher, type DispatcherEvents } from '../../src/alerts/dispatcher'
import { AlertQueue } from '../../src/alerts/queue'
import type { Schedule } from '../../src/alerts/schedule'
import type { Alert } from '../../src/records/event'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { addToStream, anAlert, pending } from '../support/alerts'
import { NOON, TestClock } from '../support/clock'
import { theRedis, useRedis } from '../support/registry'
import { waitFor } from '../support'

useRedis()

const DAY = 86_400_000
/** The real schedule, shortened. */
const QUICK: Schedule = { steps: [20, 40, 80], patience: DAY, lease: 3000, interval: 10 }
const FAILED: Outcome = { kind: 'failed', reason: 'away' }

let prefixes = 0

/** A receiver; each test says how it answers. */
class Place implements Channel {
  readonly name = 'webhook'
  on = true
  url = 'http://one.example'
  readonly tried: string[] = []
  takesJoined = (): boolean => false
  outcome: (alert: Alert) => Outcome | Promise<Outcome> = () => DELIVERED

  destination(): string {
    return this.on ? this.url : ''
  }

  async deliver(alert: Alert): Promise<Outcome> {
    this.tried.push(alert.id)
    return this.outcome(alert)
  }
}

function newStore(prefix = `alerts${++prefixes}:`, clock?: TestClock): Store {
  return new Store(theRedis().client(), new Keys(prefix), clock?.includes)
}

/** Starts a dispatcher, as a process does, and returns it with its log. */
function dispatch(
  t: TestContext,
  store: Store,
  place: Channel,
  schedule: Partial<Schedule> = {},
): { dispatcher: Dispatcher; log: string[] } {
  const log: string[] = []
  const events: DispatcherEvents = {
    onDelivered: (_channel, { id }, tries) => log.push(`delivered ${id} ${tries}`),
    onFailed: (_channel, { id }, reason) => log.push(`failed ${id} ${reason}`),
    onGivenUp: (_channel, { id }, tries, reason) => log.push(`given up ${id} ${tries} ${reason}`),
    onDropped: (_channel, alerts, reason) => log.push(`dropped ${alerts} ${reason}`),
    onError: (_channel, error) => log.push(`error ${String(error)}`),
  }
  const queue = new AlertQueue(store, place.name, { ...QUICK, ...schedule })
  const dispatcher = new Dispatcher(queue, place, events)
  dispatcher.start()
  t.after(() => dispatcher.stop())
  return { dispatcher, log }
}

async function groupThere({ client, keys }: Store): Promise<boolean> {
  const groups = (await client.xinfo('GROUPS', keys.events).catch(() => [])) as unknown[]
  return groups.length > 0
}

/** A dispatcher that has already created its consumer group. */
async function started(t: TestContext, schedule: Partial<Schedule> = {}) {
  const store = newStore()
  const place = new Place()
  const dispatched = dispatch(t, store, place, schedule)
  await waitFor(() => groupThere(store))
  return { store, place, ...dispatched }
}

describe('alerts of the stream', () => {
  it('are delivered once each by six processes', async (t) => {
    const { store, place } = await started(t)
    const others = Array.from({ length: 5 }, () => new Place())
    for (const other of others) dispatch(t, newStore(store.keys.prefix), other)
    const all = Array.from({ length: 200 }, () => anAlert())
    for (const alert of all) await addToStream(store, alert)
    const tried = (): string[] => [place, ...others].flatMap((each) => each.tried)
    await waitFor(async () => tried().length >= 200 && (await pending(store, 'webhook')) === 0)
    assert.deepEqual(tried().sort(), all.map(({ id }) => id).sort())
  })

  it('that are older than their channel are not delivered', async (t) => {
    const store = newStore()
    await addToStream(store, anAlert())
    const place = new Place()
    place.on = false
    dispatch(t, store, place)
    await addToStream(store, anAlert())
    place.on = true
    await waitFor(() => groupThere(store))
    const first = anAlert()
    await addToStream(store, first)
    await waitFor(() => place.tried.length > 0)
    assert.deepEqual(place.tried, [first.id])
  })

  it('that joined another are not delivered, and unreadable ones are counted in the log', async (t) => {
    const { store, place, log } = await started(t)
    await addToStream(store, anAlert(), { joined: true })
    for (const bad of ['', '{', 'null', '[]', JSON.stringify({ ...anAlert(), id: 'a.b' })]) {
      await addToStream(store, bad)
    }
    const last = anAlert()
    await addToStream(store, last)
    await waitFor(async () => place.tried.length > 0 && (await pending(store, 'webhook')) === 0)
    assert.deepEqual(place.tried, [last.id])
    const dropped = log.flatMap((line) => /^dropped (\d) cannot be read$/.exec(line)?.[1] ?? [])
    assert.equal(
      dropped.map(Number).reduce((sum, each) => sum + each, 0),
      5,
    )
  })

  it('that are snoozed are not delivered by a channel that takes what has joined another one', async (t) => {
    const { store, place } = await started(t)
    place.takesJoined = () => true
    const snoozed = { until: Date.now() + DAY, by: 'ann' }
    await addToStream(store, anAlert({ snoozed }), { joined: true })
    const last = anAlert()
    await addToStream(store, last, { joined: true })
    await waitFor(async () => place.tried.length > 0 && (await pending(store, 'webhook')) === 0)
    assert.deepEqual(place.tried, [last.id])
  })

  it('that fail are tried again after growing waits until one attempt succeeds', async (t) => {
    const { store, place, log } = await started(t)
    const alert = anAlert()
    place.outcome = () => (place.tried.length < 6 ? FAILED : DELIVERED)
    await addToStream(store, alert)
    await waitFor(() => log.includes(`delivered ${alert.id} 6`))
    assert.deepEqual(log.slice(0, 5), Array<string>(5).fill(`failed ${alert.id} away`))
    await waitFor(async () => (await pending(store, 'webhook')) === 0)
    const consumers = (await store.client.xinfo('CONSUMERS', store.keys.events, 'webhook')) as {
      name: string
    }[]
    const names = JSON.stringify(consumers)
    for (const step of [1, 2, 3]) assert.ok(names.includes(`"waiting-${step}"`), names)
  })

  it('that wait are looked at again, and no attempt has failed', async (t) => {
    const { store, place, log } = await started(t)
    const alert = anAlert()
    const outcomes: Outcome[] = [...Array<Outcome>(4).fill({ kind: 'waiting', ms: 30 }), FAILED]
    place.outcome = () => outcomes.shift() ?? DELIVERED
    await addToStream(store, alert)
    // The second attempt: looking is none.
    await waitFor(() => log.includes(`delivered ${alert.id} 2`))
    assert.deepEqual(log, [`failed ${alert.id} away`, `delivered ${alert.id} 2`])
    await waitFor(async () => (await pending(store, 'webhook')) === 0)
  })

  it('are not tried again before their step is over', async (t) => {
    const { store, place, log } = await started(t, { steps: [30, 60_000] })
    const alert = anAlert()
    place.outcome = () => FAILED
    await addToStream(store, alert)
    await waitFor(() => log.length === 2)
    const waiting = (await store.client.call(
      ...(['XPENDING', store.keys.events, 'webhook', '-', '+', '10', 'waiting-2'] as const),
    )) as unknown[][]
    await waitFor(async () => {
      const [found] = (await store.client.call(
        ...(['XPENDING', store.keys.events, 'webhook', '-', '+', '10', 'waiting-2'] as const),
      )) as unknown[][]
      return found?.[3] === 2
    })
    // After many turns it has still been tried only twice.
    const turns = Array.from({ length: 20 }, () => anAlert())
    place.outcome = () => DELIVERED
    for (const each of turns) await addToStream(store, each)
    await waitFor(() => place.tried.length >= 22)
    assert.equal(place.tried.filter((id) => id === alert.id).length, 2, JSON.stringify(waiting))
  })

  it('claimed by a process that died are delivered by another', async (t) => {
    const { store, place, dispatcher } = await started(t, { lease: 100 })
    const alert = anAlert()
    place.outcome = () => new Promise(() => {})
    await addToStream(store, alert)
    await waitFor(() => place.tried.length === 1)
    // The process dies.
    dispatcher.stop()
    const heir = new Place()
    dispatch(t, newStore(store.keys.prefix), heir, { lease: 100 })
    await waitFor(() => heir.tried.length > 0)
    assert.deepEqual(heir.tried, [alert.id])
    await waitFor(async () => (await pending(store, 'webhook')) === 0)
  })

  it('claimed by a second process are not put back by the first', async (t) => {
    const { store, place } = await started(t, { lease: 100 })
    const alert = anAlert()
    let fail: (outcome: Outcome) => void = () => {}
    place.outcome = () => new Promise((resolve) => (fail = resolve))
    await addToStream(store, alert)
    await waitFor(() => place.tried.length === 1)
    const heir = new Place()
    heir.outcome = () => new Promise(() => {})
    dispatch(t, newStore(store.keys.prefix), heir, { lease: 60_000 })
    const other = dispatch(t, newStore(store.keys.prefix), heir, { lease: 100 })
    await waitFor(() => heir.tried.length === 1)
    other.dispatcher.stop()
    place.on = false
    fail(FAILED)
    const marker = anAlert()
    await addToStream(store, marker)
    await waitFor(() => heir.tried.includes(marker.id))
    const [entry] = (await store.client.call(
      ...(['XPENDING', store.keys.events, 'webhook', '-', '+', '1'] as const),
    )) as [string, string, number, number][]
    assert.equal(entry?.[1], 'sending')
  })

  it('are tried for 24 h after the event, then given up with a log line', async (t) => {
    const clock = new TestClock()
    const store = newStore(undefined, clock)
    await clock.set(store, NOON)
    const place = new Place()
    place.outcome = () => FAILED
    const { log } = dispatch(t, store, place)
    await waitFor(() => groupThere(store))
    const alert = anAlert({ at: new Date(NOON).toISOString() })
    await addToStream(store, alert)
    await waitFor(() => place.tried.length >= 3)
    await clock.set(store, NOON + DAY - 1)
    const before = place.tried.length
    await waitFor(() => place.tried.length > before + 1)
    await clock.set(store, NOON + DAY)
    const line = await waitFor(() => log.find((each) => each.startsWith('given up')))
    assert.match(line, /^given up evt_\d+ \d+ it is a day old$/)
    await waitFor(async () => (await pending(store, 'webhook')) === 0)
    assert.equal(log.filter((each) => each.startsWith('given up')).length, 1)

    // Alerts never tried in that time are counted.
    for (let old = 0; old < 3; old++) {
      await addToStream(store, anAlert({ at: new Date(NOON).toISOString() }))
    }
    const counted = (): number =>
      log
        .flatMap((each) => /^dropped (\d) a day old/.exec(each)?.[1] ?? [])
        .reduce((sum, each) => sum + Number(each), 0)
    await waitFor(() => counted() === 3)
  })

  it('that the receiver refuses for good are not tried again', async (t) => {
    const { store, place, log } = await started(t)
    const alert = anAlert()
    place.outcome = () => ({ kind: 'refused', reason: 'gone' })
    await addToStream(store, alert)
    await waitFor(() => log.includes(`given up ${alert.id} 1 gone`))
    await waitFor(async () => (await pending(store, 'webhook')) === 0)
    assert.deepEqual(place.tried, [alert.id])
  })

  it('all wait while the receiver is overloaded', async (t) => {
    const { store, place } = await started(t)
    place.outcome = () => ({ kind: 'failed', reason: 'busy', pause: 60_000 })
    const alert = anAlert()
    await addToStream(store, alert)
    await waitFor(async () => {
      const [entry] = (await store.client.call(
        ...(['XPENDING', store.keys.events, 'webhook', '-', '+', '1'] as const),
      )) as [string, string][]
      return entry?.[1] === 'waiting-3'
    })
    await addToStream(store, anAlert())
    // Another process does not know, and claims new ones.
    const other = new Place()
    dispatch(t, newStore(store.keys.prefix), other)
    await waitFor(() => other.tried.length > 0)
    assert.deepEqual(place.tried, [alert.id])
  })

  it('do not wait for an overloaded receiver that has been replaced', async (t) => {
    const { store, place } = await started(t)
    place.outcome = () => ({ kind: 'failed', reason: 'busy', pause: 3_600_000 })
    const alert = anAlert()
    await addToStream(store, alert)
    await waitFor(() => place.tried.length > 0)
    place.outcome = () => DELIVERED
    place.url = 'http://two.example'
    const next = anAlert()
    await addToStream(store, next)
    await waitFor(() => place.tried.includes(next.id))
  })

  it('that leave the stream while they wait are counted and dropped', async (t) => {
    const { store, place, log } = await started(t)
    place.outcome = () => FAILED
    await addToStream(store, anAlert())
    await waitFor(() => log.length > 0)
    await store.client.xtrim(store.keys.events, 'MAXLEN', 0)
    await waitFor(() => log.includes('dropped 1 too old for the stream'))
    await waitFor(async () => (await pending(store, 'webhook')) === 0)
  })

  it('that leave the stream during a failed attempt are counted and dropped', async (t) => {
    const { store, place, log } = await started(t)
    let fail: (outcome: Outcome) => void = () => {}
    place.outcome = () => new Promise((resolve) => (fail = resolve))
    await addToStream(store, anAlert())
    await waitFor(() => place.tried.length > 0)
    await store.client.xtrim(store.keys.events, 'MAXLEN', 0)
    fail(FAILED)
    await waitFor(() => log.includes('dropped 1 too old for the stream'))
    await waitFor(async () => (await pending(store, 'webhook')) === 0)
  })

  it('are delivered again after Redis has lost the stream', async (t) => {
    const { store, place } = await started(t)
    await store.client.del(store.keys.events)
    const alert = anAlert()
    await addToStream(store, alert)
    await waitFor(() => place.tried.includes(alert.id))
  })

  it('are neither lost nor delivered twice while connections to Redis break', async (t) => {
    const { store, place, log } = await started(t)
    const redis = theRedis()
    const all = Array.from({ length: 20 }, () => anAlert())
    place.outcome = () => (Math.random() < 0.3 ? FAILED : DELIVERED)
    for (const [at, alert] of all.entries()) {
      await addToStream(store, alert)
      if (at % 5 !== 4) continue
      await redis.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await waitFor(() => store.client.status === 'ready')
    }
    const delivered = (): string[] => log.filter((line) => line.startsWith('delivered'))
    await waitFor(() => new Set(delivered().map((line) => line.split(' ')[1])).size === 20)
    await waitFor(async () => (await pending(store, 'webhook')) === 0)
    assert.equal(delivered().length, 20)
  })
})
