import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { Crew } from '../bench/soak/crew'
import { seatsOf } from '../bench/soak/mix'
import type { Plan } from '../bench/soak/plan'
import { sectionsOf } from '../bench/soak/report'
import { soak, SIDES } from '../bench/soak/run'
import { startHaraka, type TestHaraka } from './support'

const SEED = Number(process.env['SEED'] ?? 1)

/** A soak of a few seconds: what must hold, holds in it as well. */
const SHORT: Plan = {
  seed: SEED,
  tenants: 20,
  sessions: 40,
  workers: 2,
  warmUp: 500,
  rounds: 2,
  roundsAnEpisode: 1,
  allowance: 20,
  slices: { full: 800, alone: 300, paced: 300 },
  idle: 0,
  // A busy machine must not make the difference.
  commandTimeout: 10_000,
}

const quiet = { say() {} }

describe(`a short soak, seed ${SEED}`, () => {
  it('has no errors, counts right, and restricts and frees a tenant in time', async () => {
    const run = await soak(SHORT, quiet)

    assert.deepEqual(run.failures, [])
    // Eight messages, one of each session, have passed after the lift before, which was in the warm-up.
    assert.deepEqual(
      run.episodes.map(({ accepted }) => accepted),
      [12, 12],
    )
    for (const { freeAfter } of run.episodes) assert.ok(freeAfter > 0)

    for (const round of run.rounds) {
      for (const name of SIDES) {
        const { full, paced, memory } = round[name]
        assert.equal(new Set(memory.map(({ pid }) => pid)).size, SHORT.workers)
        for (const { messages, waits } of [full, paced]) {
          assert.ok(messages > 0)
          assert.ok(waits.MAIL.count >= messages && waits.RCPT.count >= messages)
        }
      }
      assert.ok(round.ours.full.refused > 0)
    }

    const { counted, receipts } = run
    assert.ok(counted.clients > 0)
    assert.equal(counted.redis, counted.clients)
    assert.ok(receipts.count > 0)
    assert.ok(receipts.withThem > receipts.without)
    for (const { name, rows } of sectionsOf(run, undefined, SHORT)) {
      // Seconds tell nothing of growth: a session on its way when a sample is taken weighs more than any.
      if (name === 'memory') continue
      for (const { what, target } of rows) assert.ok(target?.met !== false, `${name}: ${what}`)
    }
  })
})

describe('a crew', () => {
  const restricted = { id: 'x', domain: 'x.example', kind: 'restricted', ip: '127.77.0.1' } as const
  const otherwise = /^to "MAIL FROM:<a@stranger-\d+\.example>" from 127\.77\.0\.1 came: 250 /
  // Nobody refuses there what is to be refused.
  let haraka: TestHaraka
  let crew: Crew

  before(async () => (haraka = await startHaraka({ plugins: ['relay', 'test_sink'] })))
  beforeEach(() => (crew = new Crew(haraka.port, seatsOf([restricted], 4, SEED, true))))
  afterEach(() => crew.close())
  after(() => haraka.stop())

  it('tells of every answer that is another than expected, and goes on', async () => {
    // At a pace at which they stay far below what makes it end.
    const { messages } = await crew.work(1_000, 40)
    assert.ok(messages > 0)
    assert.ok(crew.failures.length > 0)
    for (const failure of crew.failures) assert.match(failure, otherwise)
  })

  it('ends, and says why, where the answers go on like that', async () => {
    await assert.rejects(
      crew.work(60_000),
      /^Error: \d{3} sessions on port \d+ have failed, so all end: to "MAIL /,
    )
    for (const failure of crew.failures) assert.match(failure, otherwise)
  })
})
