import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULTS, PATIENCE, ROOMY } from '../../bench/ledger-load'
import { lastScriptCall } from '../../bench/redis-benchmark'
import { chargeFor, seedTenants } from '../../bench/seed'
import { openStore } from '../../bench/store'
import { Ledger } from '../../src/allowance/ledger'
import { startRedis } from '../support'

describe('the call that redis-benchmark repeats', () => {
  it('counts a recipient of another transaction when it is repeated', async () => {
    const redis = await startRedis()
    const store = await openStore(redis.port)
    try {
      const ledger = new Ledger(store, PATIENCE)
      const { domainsToken, idAt } = await seedTenants(store, redis.port, 1, { limits: ROOMY })
      const charge = (transaction: string) =>
        ledger.charge(chargeFor(idAt(0), domainsToken, transaction), DEFAULTS)
      await charge('FIRST.1')

      const call = await lastScriptCall(store.client, () => charge('SECOND.1'))
      const [command = '', ...words] = call.map((word) => word.replaceAll('SECOND.1', 'THIRD.1'))
      await redis.client().call(command, ...words)

      const usage = await ledger.usage(idAt(0), DEFAULTS)
      assert.deepEqual(
        usage?.unregistered.map(({ used }) => used),
        [3, 3],
      )
      await assert.rejects(
        lastScriptCall(store.client, () => store.client.echo('nothing')),
        /no script/,
      )
    } finally {
      store.client.disconnect()
      await redis.stop()
    }
  })
})
