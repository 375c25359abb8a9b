import type { TestHaraka } from '../../scripts/services/haraka'
import { startRedis, type TestRedis } from '../../scripts/services/redis'
import { Restrictions } from '../../src/allowance/restriction'
import type { Store } from '../../src/store/store'
import { Registries } from '../../test/support/registries'
import { startLeanHaraka } from '../lean-haraka'
import { ROOMY } from '../ledger-load'
import { seedAddresses, seedTenants } from '../seed'
import { openStore } from '../store'
import { isFailure } from './log-failures'
import { kindOf, type MixTenant } from './mix'
import type { Plan } from './plan'
import type { Victim } from './taken-over'
import { Witness, WITNESS } from './witness'

const BY = 'soak'

/** One of the two Harakas that are compared. */
export interface Side {
  readonly haraka: TestHaraka
  readonly witness: Witness
  /** How long its log was when it had started: it misses its TLS files then. */
  readonly started: number
}

/** A Redis, a Haraka with the plugin and one without, and the tenants that send through them. */
export interface Stage {
  readonly redis: TestRedis
  readonly store: Store
  readonly ours: Side
  readonly alone: Side
  readonly tenants: readonly MixTenant[]
  readonly victim: Victim
  readonly stop: () => Promise<void>
}

export async function openStage(plan: Plan): Promise<Stage> {
  const { tenants: count, workers, allowance, commandTimeout } = plan
  const redis = await startRedis()
  const store = await openStore(redis.port)
  const tenants = await registerMix(store, redis.port, count)
  const victim = await registerVictim(store, allowance)
  const sides = await Promise.all([
    startSide({
      redis,
      plugins: ['unregistered-domain'],
      settings: { null: { limits: ROOMY }, redis: { command_timeout: commandTimeout } },
    }),
    startSide({ plugins: [] }),
  ])
  const [ours, alone] = sides
  const stop = async (): Promise<void> => {
    await Promise.all(sides.map(({ haraka }) => haraka.stop()))
    store.client.disconnect()
    await redis.stop()
  }
  return { redis, store, ours, alone, tenants, victim, stop }

  async function startSide(options: Parameters<typeof startLeanHaraka>[0]): Promise<Side> {
    const haraka = await startSoakHaraka(options, workers)
    const witness = new Witness(haraka, Math.max(1, workers))
    return { haraka, witness, started: haraka.log.length }
  }
}

/** A lean Haraka with {@link WITNESS}. */
export async function startSoakHaraka(
  options: Parameters<typeof startLeanHaraka>[0],
  nodes: number,
): Promise<TestHaraka> {
  const haraka = await startLeanHaraka({
    ...options,
    nodes,
    plugins: [WITNESS.name, ...options.plugins],
    localPlugins: { [WITNESS.name]: WITNESS.text },
  })
  haraka.keepLog(isFailure)
  return haraka
}

async function registerMix(store: Store, port: number, count: number): Promise<MixTenant[]> {
  const { idAt } = await seedTenants(store, port, count, { limits: ROOMY })
  const ips = await seedAddresses(store, count, idAt)
  const restrictions = new Restrictions(store)
  const tenants = ips.map((ip, number): MixTenant => {
    const id = idAt(number)
    return { id, domain: `${id}.com`, kind: kindOf(number), ip }
  })
  for (const { id } of tenants.filter(({ kind }) => kind === 'restricted')) {
    await restrictions.place(id, { scope: 'unregistered', by: BY, reason: 'to be refused' })
  }
  return tenants
}

async function registerVictim(store: Store, allowance: number): Promise<Victim> {
  const victim = { id: 'taken-over', domain: 'taken-over.com', ip: '127.2.0.1', allowance }
  const { id, domain, ip } = victim
  const registry = new Registries(store)
  await registry.tenants.add(id, { limits: `${allowance}/1h` }, BY)
  await registry.domains.add(id, [{ domain, subdomains: false, shared: false }], BY)
  const identities = { ip: [`${ip}/32`], cert: [], certSha256: [], auth: [] }
  await registry.connectors.add(id, 'mail', identities, BY)
  return victim
}
