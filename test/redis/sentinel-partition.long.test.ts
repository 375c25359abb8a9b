import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  accountOf,
  MailStream,
  RECIPIENT,
  sentinelRelayFor,
  UNREGISTERED,
} from '../support/failover'
import { REPLY } from '../support/replies'

const LIMIT = 300

describe('A primary that hangs, is replaced, and goes on', { concurrency: 2 }, () => {
  for (const [what, config] of [
    ['by itself', []],
    ['with min-replicas-to-write', ['min-replicas-to-write 1', 'min-replicas-max-lag 1']],
  ] as const) {
    test(`${what}: it ends as a replica, and at most the limit plus the loss is accepted`, async (t) => {
      const relay = await sentinelRelayFor(t, { config })
      const { redis } = relay
      const contoso = await relay.tenant('contoso', { limits: `${LIMIT}/1h` })
      const fabrikam = await relay.tenant('fabrikam')
      const reason = { scope: 'unregistered', reason: 'phishing', by: 'test' } as const
      await relay.restrictions.place('fabrikam', reason)
      const restriction = await fabrikam.restriction()
      await relay.attributed(fabrikam.session, 'fabrikam/mx')
      const refused = async () => {
        const { mail } = await fabrikam.send({ from: UNREGISTERED, to: RECIPIENT })
        assert.equal(mail.raw, REPLY.blocked)
      }
      await redis.inSync()

      const stream = new MailStream(contoso)
      // The allowance must last until the old primary is detected.
      stream.pace = 400
      await stream.until('some are counted', () => stream.count(250) >= 20)
      const former = await redis.primary()
      former.pause()
      const paused = performance.now()
      await stream.until('its silence is noticed', () => stream.count(451, paused) > 0)
      await refused()
      await redis.failedOver(former)
      former.resume()
      await refused()
      await redis.demoted(former)
      const demoted = performance.now()
      stream.pace = 0
      await stream.until('the allowance is used up', () => stream.count(550, demoted) >= 10)
      const outage = await stream.untilServed(paused)
      await stream.stop()

      const { delivered, lost } = await accountOf(contoso)
      t.diagnostic(`service back after ${outage.duration} ms, longest message ${outage.longest} ms`)
      t.diagnostic(`${delivered} accepted of ${LIMIT}, ${lost} lost by asynchronous replication`)
      assert.ok(delivered <= LIMIT + lost, `${delivered} delivered, ${lost} lost`)
      await refused()
      assert.deepEqual(await fabrikam.restriction(), restriction)
    })
  }
})
