import type { ChargeResult } from '../../src/allowance/charge-answer'
import { Ledger, type Charge, type Defaults } from '../../src/allowance/ledger'
import { parseLimits } from '../../src/mail/limits'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import type { TestRedis } from '../support/redis'
import type { Cli } from './cli'

const LIMITS = parseLimits('300/1h, 1500/1d')
const DEFAULTS: Defaults = {
  limits: LIMITS,
  nullLimits: LIMITS,
  mode: 'enforce',
  override: undefined,
  warnAt: [],
  forwards: 'refuse',
}

let transactions = 0

/** Charges one recipient, as the plugin does for unregistered mail from lure.example, or for the null sender. */
export async function charge(
  redis: TestRedis,
  cli: Pick<Cli, 'prefix'>,
  tenant: string,
  meter: Charge['meter'] = 'unregistered',
): Promise<ChargeResult['answer']> {
  return withStore(redis, cli, async (store) => {
    const domainsToken = (await store.client.hget(store.keys.tenant(tenant), 'domains')) ?? ''
    const question = { ...messageOf(tenant), meter, ordinal: 1, domainsToken }
    return (await new Ledger(store, 5000).charge(question, DEFAULTS)).answer
  })
}

/** Charges one recipient of a message from lure.example that is proven to be a forward. */
export async function chargeForward(
  redis: TestRedis,
  cli: Pick<Cli, 'prefix'>,
  tenant: string,
): Promise<ChargeResult['answer']> {
  return withStore(redis, cli, async (store) => {
    const message = messageOf(tenant)
    const proof = { meter: 'forwarded', ordinals: [1], signatures: [message.transaction] } as const
    return (await new Ledger(store, 5000).chargeMessage({ ...message, ...proof }, DEFAULTS)).answer
  })
}

function messageOf(
  tenant: string,
): Pick<Charge, 'tenant' | 'transaction' | 'domain' | 'connector' | 'ip'> {
  return {
    tenant,
    transaction: `T${++transactions}`,
    domain: 'lure.example',
    connector: `${tenant}/web`,
    ip: '192.0.2.7',
  }
}

async function withStore<T>(
  redis: TestRedis,
  cli: Pick<Cli, 'prefix'>,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  const client = redis.client()
  try {
    return await use(new Store(client, new Keys(cli.prefix)))
  } finally {
    client.disconnect()
  }
}
