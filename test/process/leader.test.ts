import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { Leader } from '../../src/process/leader'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'

const PERIOD = 40

let redis: TestRedis
let candidates: { leader: Leader; store: Store }[]
/** The processes that ran their duty, in order. */
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
  candidates = []
  for (let at = 0; at < 3; at++) await add()
})
afterEach(() => {
  for (const { leader, store } of candidates) {
    leader.stop()
    store.client.disconnect()
  }
})

async function add(whenUsable = (): Promise<void> => Promise.resolve()): Promise<number> {
  const at = candidates.length
  const store = new Store(
    connect(settingsFor(redis), () => {}),
    new Keys('ud:'),
  )
  const onError = (duty: string, error: unknown): void =>
    void errors.push(`${duty}: ${String(error)}`)
  const leader = new Leader(store, whenUsable, onError, PERIOD)
  leader.add({ name: 'note', every: 0, run: () => Promise.resolve(runs.push(at)) })
  candidates.push({ leader, store })
  await waitFor(() => store.client.status === 'ready')
  return at
}

/** The one process that runs duties from now on. */
async function leadingNow(): Promise<number> {
  const begun = runs.length
  await waitFor(() => runs.length >= begun + 5)
  const since = new Set(runs.slice(begun))
  assert.equal(since.size, 1)
  return [...since][0]!
}

describe('the leader', () => {
  it('is one process, which goes on leading and runs the duties alone', async () => {
    for (const { leader } of candidates) leader.start()
    const first = await leadingNow()
    assert.equal(await leadingNow(), first)
    assert.deepEqual(
      candidates.map(({ leader }) => leader.isLeading),
      candidates.map((_each, at) => at === first),
    )
    assert.deepEqual(new Set(runs).size, 1)
  })

  it('that stops runs nothing more, and another process leads at once', async () => {
    for (const { leader } of candidates) leader.start()
    const first = await leadingNow()
    candidates[first]!.leader.stop()
    await waitFor(async () => (await redis.client().get('ud:{@events}:watch')) !== null)
    const second = await leadingNow()
    assert.notEqual(second, first)
    assert.equal(candidates[first]!.leader.isLeading, false)
  })

  it('that is cut off is replaced when its lock expires, and stops leading', async () => {
    for (const { leader } of candidates) leader.start()
    const first = await leadingNow()
    candidates[first]!.store.client.disconnect()
    await waitFor(() => !candidates[first]!.leader.isLeading)
    await waitFor(() => runs.at(-1) !== first)
    assert.notEqual(await leadingNow(), first)
  })

  it('runs no duty while Redis must not be written to', async () => {
    let usable = false
    const at = await add(() => (usable ? Promise.resolve() : Promise.reject(new Error('lost'))))
    candidates[at]!.leader.start()
    let periods = 0
    candidates[0]!.leader.add({ name: 'count', every: 0, run: () => Promise.resolve(periods++) })
    candidates[0]!.leader.start()
    await waitFor(() => periods > 5)
    assert.equal(runs.includes(at), false)
    candidates[0]!.leader.stop()
    usable = true
    assert.equal(await leadingNow(), at)
  })

  it('reports the failure of a duty, runs it again, and runs the others', async () => {
    let failed = 0
    const { leader } = candidates[0]!
    leader.add({ name: 'fail', every: 0, run: () => Promise.reject(new Error(`${++failed}`)) })
    leader.start()
    await waitFor(() => errors.length >= 2)
    assert.deepEqual(errors.slice(0, 2), ['fail: Error: 1', 'fail: Error: 2'])
    await leadingNow()
  })

  it('never runs a duty twice at the same time, and waits between its runs', async () => {
    let running = 0
    let most = 0
    let slowRuns = 0
    const { leader } = candidates[0]!
    const finish: (() => void)[] = []
    leader.add({
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
    leader.add({ name: 'rare', every: 3_600_000, run: () => Promise.resolve(rareRuns++) })
    leader.start()
    for (let round = 1; round <= 3; round++) {
      await waitFor(() => finish.length === round)
      await leadingNow()
      finish[round - 1]!()
      await waitFor(() => slowRuns === round)
    }
    assert.equal(most, 1)
    assert.equal(rareRuns, 1)
  })

  it('that stops while it requests the lock does not hold it', async () => {
    const { leader } = candidates[0]!
    leader.start()
    leader.stop()
    const at = await add()
    candidates[at]!.leader.start()
    assert.equal(await leadingNow(), at)
  })
})
