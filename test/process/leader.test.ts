import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { Watch } from '../../src/process/leader'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'

const PERIOD = 40

let redis: TestRedis
let watches: { watch: Watch; store: Store }[]
/** Which watch has run its task, in order. */
let runs: number[]
let errors: string[]

before(async () => {
  redis = await startRedis()
})
after(() => redis.stop())

beforeEach(async () => {
  await redis.client().flushall()
  runs = []
  errors = []
  watches = []
  for (let at = 0; at < 3; at++) await add()
})
afterEach(() => {
  for (const { watch, store } of watches) {
    watch.stop()
    store.client.disconnect()
  }
})

async function add(whenUsable = (): Promise<void> => Promise.resolve()): Promise<number> {
  const at = watches.length
  const store = new Store(
    connect(settingsFor(redis), () => {}),
    new Keys('ud:'),
  )
  const onError = (task: string, error: unknown): void =>
    void errors.push(`${task}: ${String(error)}`)
  const watch = new Watch(store, whenUsable, onError, PERIOD)
  watch.add({ name: 'note', every: 0, run: () => Promise.resolve(runs.push(at)) })
  watches.push({ watch, store })
  await waitFor(() => store.client.status === 'ready')
  return at
}

/** The one watch that has run a task since now. */
async function holder(): Promise<number> {
  const begun = runs.length
  await waitFor(() => runs.length >= begun + 5)
  const since = new Set(runs.slice(begun))
  assert.equal(since.size, 1)
  return [...since][0]!
}

describe('a watch', () => {
  it('runs the tasks in one of all processes, and that one goes on', async () => {
    for (const { watch } of watches) watch.start()
    const first = await holder()
    assert.equal(await holder(), first)
    assert.deepEqual(
      watches.map(({ watch }) => watch.holds),
      watches.map((_each, at) => at === first),
    )
    assert.deepEqual(new Set(runs).size, 1)
  })

  it('that stops lets another one go on at once, and runs nothing any more', async () => {
    for (const { watch } of watches) watch.start()
    const first = await holder()
    watches[first]!.watch.stop()
    await waitFor(async () => (await redis.client().get('ud:{@events}:watch')) !== null)
    const second = await holder()
    assert.notEqual(second, first)
    assert.equal(watches[first]!.watch.holds, false)
  })

  it('that is cut off is replaced when its lock expires, and knows it', async () => {
    for (const { watch } of watches) watch.start()
    const first = await holder()
    watches[first]!.store.client.disconnect()
    await waitFor(() => !watches[first]!.watch.holds)
    await waitFor(() => runs.at(-1) !== first)
    assert.notEqual(await holder(), first)
  })

  it('does not run while Redis must not be written to', async () => {
    let usable = false
    const at = await add(() => (usable ? Promise.resolve() : Promise.reject(new Error('lost'))))
    watches[at]!.watch.start()
    let periods = 0
    watches[0]!.watch.add({ name: 'count', every: 0, run: () => Promise.resolve(periods++) })
    watches[0]!.watch.start()
    await waitFor(() => periods > 5)
    assert.equal(runs.includes(at), false)
    watches[0]!.watch.stop()
    usable = true
    assert.equal(await holder(), at)
  })

  it('tells what a task fails with, runs it again, and the others all the same', async () => {
    let failed = 0
    const { watch } = watches[0]!
    watch.add({ name: 'fail', every: 0, run: () => Promise.reject(new Error(`${++failed}`)) })
    watch.start()
    await waitFor(() => errors.length >= 2)
    assert.deepEqual(errors.slice(0, 2), ['fail: Error: 1', 'fail: Error: 2'])
    await holder()
  })

  it('never runs a task twice at the same time, and waits between its runs', async () => {
    let running = 0
    let most = 0
    let slowRuns = 0
    const { watch } = watches[0]!
    const finish: (() => void)[] = []
    watch.add({
      name: 'slow',
      every: 0,
      run: async () => {
        most = Math.max(most, ++running)
        await new Promise<void>((resolve) => finish.push(resolve))
        running--
        slowRuns++
      },
    })
    let rareRuns = 0
    watch.add({ name: 'rare', every: 3_600_000, run: () => Promise.resolve(rareRuns++) })
    watch.start()
    for (let round = 1; round <= 3; round++) {
      await waitFor(() => finish.length === round)
      await holder()
      finish[round - 1]!()
      await waitFor(() => slowRuns === round)
    }
    assert.equal(most, 1)
    assert.equal(rareRuns, 1)
  })

  it('stops while it asks for the lock, and leaves none', async () => {
    const { watch } = watches[0]!
    watch.start()
    watch.stop()
    const at = await add()
    watches[at]!.watch.start()
    assert.equal(await holder(), at)
  })
})
