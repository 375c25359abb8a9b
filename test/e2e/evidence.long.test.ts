import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { parseEvidence } from '../../src/cases/evidence'
import { startRelay, tenantctl, waitFor, type TestRelay } from '../support'

/** Four workers of two Harakas: each has counted a part of it. */
describe('evidence of a trip, on two Harakas of two workers', () => {
  let relay: TestRelay
  before(async () => {
    relay = await startRelay({ hosts: 2, nodes: 2 })
  })
  after(() => relay.stop())

  it('holds the mail of all workers up to the trip', async () => {
    const tenant = await relay.tenant('contoso', { limits: '12/1h' })
    const to = ['a@far.example', 'b@far.example', 'c@far.example']
    for (let message = 0; message < 6; message++) {
      await tenant.send(
        { from: `x@lure${message % 2}.example`, to },
        { on: relay.hosts[message % 2]! },
      )
    }
    const { client, keys } = relay.store
    await waitFor(async () => (await client.exists(keys.evidence('contoso', 1))) === 1)
    const evidence = parseEvidence((await client.get(keys.evidence('contoso', 1))) ?? '')
    const accepted = evidence.top.domain.reduce((sum, { counts }) => sum + counts.accepted, 0)
    assert.equal(accepted, 12)
    assert.deepEqual(evidence.top.domain.map(({ key }) => key).sort(), [
      'lure0.example',
      'lure1.example',
    ])
    assert.equal(evidence.top.connector[0]?.key, 'contoso/mx')
    assert.deepEqual(
      evidence.event.windows?.map(({ used, limit }) => [used, limit]),
      [[12, 12]],
    )
    assert.ok(evidence.samples.length > 0)
    assert.ok(evidence.changes.some(({ what }) => what === 'tenant added'))
    const { stdout } = await tenantctl(['--redis', relay.redis.url, 'evidence', 'contoso'])
    assert.match(stdout, /^trigger +12 in 1h reached, from lure\d\.example, connector contoso\/mx/m)
    assert.match(stdout, /^lure0\.example +2\/6 /m)
  })
})
