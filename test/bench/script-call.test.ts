import assert from 'node:assert/strict'
import { it } from 'node:test'
import { chargeFor, DEFAULTS, PATIENCE, ROOMY } from '../../bench/charge'
import { lastScriptCall } from '../../bench/redis-benchmark'
import { seedTenant } from '../../bench/seed'
import { openStore } from '../../bench/store'
import { Ledger } from '../../src/allowance/ledger'
import { startRedis } from '../support'

it('the call that redis-benchmark repeats counts a recipient of another transaction each time', async () => {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  try {
    const ledger = new Ledger(store, PATIENCE)
    const token = await seedTenant(store, 'contoso', ['contoso.com'], { limits: ROOMY })
    const charge = (transaction: string) =>
      ledger.charge(chargeFor('contoso', token, transaction), DEFAULTS)
    await charge('FIRST.1')

    const call = await lastScriptCall(store.client, () => charge('SECOND.1'))
    const [command = '', ...words] = call.map((word) => word.replaceAll('SECOND.1', 'THIRD.1'))
    await redis.client().call(command, ...words)

    const usage = await ledger.usage('contoso', DEFAULTS)
    assert.deepEqual(
      usage?.unregistered.map(({ used }) => used),
      [3, 3],
    )
    const noScript = lastScriptCall(store.client, () => store.client.echo('nothing'))
    await assert.rejects(noScript, /no script/)
  } finally {
    store.client.disconnect()
    await redis.stop()
  }
})
