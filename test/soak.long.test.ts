import assert from 'node:assert/strict'
import { it } from 'node:test'
import { SoakMail } from '../bench/soak/mail'
import { sectionsOf } from '../bench/soak/rows'
import { soak, type Plan } from '../bench/soak/run'
import { startHaraka } from './support'

const SEED = Number(process.env['SEED'] ?? 1)

/** A few seconds. */
const SHORT: Plan = {
  ...{ seed: SEED, tenants: 20, sessions: 40, workers: 2, warmUp: 500 },
  ...{ rounds: 2, slice: 800, roundsAnEpisode: 1, allowance: 20 },
  // A busy machine must not make the difference.
  commandTimeout: 10_000,
}

it(`a short soak has no errors, counts right, and restricts and unblocks a tenant, seed ${SEED}`, async () => {
  const found = await soak(SHORT, () => {})
  const { failures, episodes, rounds, counted, receipts } = found

  assert.deepEqual(failures, [])
  // After a lift eight messages have passed, one of each session.
  assert.deepEqual(
    episodes.map(({ accepted }) => accepted),
    [20, 12, 12],
  )
  for (const { freeAfter } of episodes) assert.ok(freeAfter > 0)
  for (const { held, perSecond, refused } of rounds) {
    assert.equal(new Set(held.map(({ pid }) => pid)).size, SHORT.workers)
    assert.ok(perSecond > 0 && refused > 0)
  }
  assert.ok(counted.clients > 0 && found.answers.count > counted.clients)
  assert.equal(counted.redis, counted.clients)
  assert.ok(receipts.count > 0)
  assert.ok(receipts.withThem > receipts.without)
  for (const { name, rows } of sectionsOf(found, SHORT)) {
    // Memory of a few seconds shows no trend.
    if (name === 'memory') continue
    for (const { what, target } of rows) assert.ok(target?.met !== false, `${name}: ${what}`)
  }
})

it('a soak ends where a server keeps giving other answers than expected, and says which', async () => {
  // Nothing refuses there what is to be refused.
  const haraka = await startHaraka({ plugins: ['relay', 'test_sink'] })
  const tenant = { id: 'x', domain: 'x.example', ip: '127.77.0.1' }
  // Every tenth tenant is restricted.
  const mail = new SoakMail(haraka.port, Array<typeof tenant>(10).fill(tenant), 10, SEED)
  const otherwise = /to "MAIL FROM:<a@stranger-\d+\.example>" from 127\.77\.0\.1 came: 250 /
  await assert.rejects(mail.send(60_000), otherwise)
  for (const failure of mail.failures) assert.match(failure, otherwise)
  await haraka.stop()
})
