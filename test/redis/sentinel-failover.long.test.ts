import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor, type TestHaraka } from '../support'
import {
  accountOf,
  ctl,
  MailStream,
  RECIPIENT,
  sentinelRelayFor,
  UNREGISTERED,
} from '../support/failover'
import { REPLY } from '../support/replies'

const LIMIT = 300

test('kill -9 of the primary that Sentinel watches', async (t) => {
  const relay = await sentinelRelayFor(t, { nodes: 2 })
  const { redis, haraka } = relay
  const contoso = await relay.tenant('contoso', { limits: `${LIMIT}/1h` })
  const fabrikam = await relay.tenant('fabrikam')
  await ctl(haraka, 'block', 'fabrikam', '--reason', 'phishing')
  const restriction = await fabrikam.restriction()
  await redis.inSync()
  const former = await redis.primary()

  await t.test(
    'under load: registered mail passes, and at most the limit plus the loss',
    async (t) => {
      const stream = new MailStream(contoso)
      await stream.until('a third is used', () => stream.count(250) >= LIMIT / 3)
      const killed = performance.now()
      await former.kill()
      const outage = await stream.untilServed(killed)
      await stream.until('the allowance is used up', () => stream.count(550) >= 20)
      await stream.stop()

      const { delivered, lost } = await accountOf(contoso)
      t.diagnostic(`service back after ${outage.duration} ms, longest message ${outage.longest} ms`)
      t.diagnostic(`451: ${outage.tempfailed}, registered delivered: ${stream.registered}`)
      t.diagnostic(`${delivered} accepted of ${LIMIT}, ${lost} lost by asynchronous replication`)
      assert.ok(delivered <= LIMIT + lost, `${delivered} delivered, ${lost} lost`)
      assert.equal((await contoso.restriction())?.by, 'automatic')
    },
  )

  await t.test('a replicated restriction refuses, also in a new worker', async () => {
    assert.deepEqual(await fabrikam.restriction(), restriction)
    for (const restarted of [false, true]) {
      if (restarted) await haraka.restart()
      await relay.attributed(fabrikam.session, 'fabrikam/mx')
      const { mail } = await fabrikam.send({ from: UNREGISTERED, to: RECIPIENT })
      assert.equal(mail.raw, REPLY.blocked)
      const own = await fabrikam.send({ from: 'a@fabrikam.example', to: RECIPIENT })
      assert.ok(own.delivered, String(own.last))
    }
  })

  await t.test(
    'tenantctl works with the new primary, and its changes reach every worker',
    async () => {
      assert.equal((await status(haraka, 'fabrikam')).restriction?.reason, 'phishing')
      const from = haraka.log.length
      await ctl(haraka, 'unblock', 'fabrikam', '--reason', 'cleaned')
      const logged = () => haraka.log.slice(from).match(/\bunblocked\b.*fabrikam/g)?.length === 2
      await waitFor(logged, { what: 'both workers know it' })
      const sent = await fabrikam.send({ from: UNREGISTERED, to: RECIPIENT })
      assert.ok(sent.delivered, String(sent.last))
    },
  )

  await t.test('the killed one comes back as a replica without effect on mail', async () => {
    // On a busy machine Sentinel may fail over again: the next primary must have everything.
    await redis.inSync(1)
    await former.restart()
    await redis.demoted(former)
    await redis.inSync()
    assert.equal((await status(haraka, 'fabrikam')).restriction, null)
    assert.equal((await status(haraka, 'contoso')).restriction?.by, 'automatic')
    const sent = await fabrikam.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.ok(sent.delivered, String(sent.last))
  })
})

interface Status {
  restriction: { by: string; reason: string } | null
}

async function status(haraka: TestHaraka, tenant: string): Promise<Status> {
  return JSON.parse(await ctl(haraka, 'status', tenant, '--json')) as Status
}
