import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../support'
import { accountOf, MailStream, sentinelRelayFor } from '../support/failover'

const LIMIT = 300

test('a planned failover: at most the limit plus the loss is accepted', async (t) => {
  const config = ['min-replicas-to-write 1', 'min-replicas-max-lag 1']
  const relay = await sentinelRelayFor(t, { config })
  const { redis } = relay
  const contoso = await relay.tenant('contoso', { limits: `${LIMIT}/1h` })
  await redis.inSync()

  const stream = new MailStream(contoso)
  stream.pace = 200
  await stream.until('some are counted', () => stream.count(250) >= 20)
  const former = await redis.primary()
  const sentinel = redis.sentinels[0]!.client()
  const { sentinel_name: name } = redis.settings
  // A sentinel refuses while it has no suitable replica.
  await waitFor(() => sentinel.call('SENTINEL', 'FAILOVER', name), { timeout: 60_000 })
  await redis.failedOver(former)
  await redis.demoted(former)
  const demoted = performance.now()
  stream.pace = 0
  await stream.until('the allowance is used up', () => stream.count(550, demoted) >= 10)
  await stream.stop()

  const { delivered, lost } = await accountOf(contoso)
  t.diagnostic(`${stream.count(451)} times 451`)
  t.diagnostic(`${delivered} accepted of ${LIMIT}, ${lost} lost by asynchronous replication`)
  assert.ok(delivered <= LIMIT + lost, `${delivered} delivered, ${lost} lost`)
})
