import type { ChargeResult } from '../../src/allowance/charge-answer'
import { Ledger } from '../../src/allowance/ledger'
import { parseLimits } from '../../src/allowance/limits'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import type { TestRedis } from '../support/redis'
import type { Cli } from './cli'

let transactions = 0

/** Charges one recipient, as the plugin does for unregistered mail from lure.example. */
export async function charge(
  redis: TestRedis,
  cli: Cli,
  tenant: string,
): Promise<ChargeResult['answer']> {
  const keys = new Keys(cli.prefix)
  const client = redis.client()
  const limits = parseLimits('300/1h, 1500/1d')
  const { answer } = await new Ledger(new Store(client, keys), 5000).charge(
    {
      tenant,
      meter: 'unregistered',
      transaction: `T${++transactions}`,
      ordinal: 1,
      domainsToken: (await client.hget(keys.tenant(tenant), 'domains')) ?? '',
      domain: 'lure.example',
      connector: `${tenant}/web`,
      ip: '192.0.2.7',
    },
    {
      limits,
      nullLimits: limits,
      mode: 'enforce',
      override: undefined,
      warnAt: [],
      acceptsForwards: false,
    },
  )
  client.disconnect()
  return answer
}
