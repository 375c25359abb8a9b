import { formatIni } from '../scripts/services/ini'
import { startHaraka, type TestHaraka } from '../scripts/services/haraka'
import { startRedis, type TestRedis } from '../scripts/services/redis'
import { openStore } from './store'
import { Registry } from '../src/tenants/registry'
import { Restrictions } from '../src/restriction/restriction'

const BY = 'bench'

/** Takes every message and keeps none: the cost of a queue is not ours to compare. */
export const DISCARD = {
  name: 'bench_discard',
  text: 'exports.hook_queue = exports.hook_queue_outbound = (next) => next(OK)\n',
}

/** The windows of the shipped allowance, with room for all that is sent. */
const ROOMY = '100000000/1h, 100000000/1d'

/** Two tenants, told apart by the address they come from; the second is restricted. */
export const TENANTS = {
  open: { id: 'contoso', domain: 'contoso.com', ip: '127.0.0.1' },
  restricted: { id: 'fabrikam', domain: 'fabrikam.com', ip: '127.0.0.2' },
} as const

/** Servers side by side, of which only the plugins differ. */
export interface MailServers {
  readonly redis: TestRedis
  readonly alone: TestHaraka
  readonly ours: TestHaraka
  /** haraka-plugin-limit with its limit of recipients by sender. */
  readonly limit: TestHaraka
  readonly stop: () => Promise<void>
}

export type ServerName = 'alone' | 'ours' | 'limit'

/** @param extra plugins that all of them have. */
export async function startMailServers(
  extra: readonly { readonly name: string; readonly text: string }[] = [],
): Promise<MailServers> {
  const redis = await startRedis()
  await registerTenants(redis)
  const common = {
    redis,
    localPlugins: Object.fromEntries([DISCARD, ...extra].map(({ name, text }) => [name, text])),
    config: { 'log.ini': formatIni({ main: { level: 'notice' } }) },
  }
  const start = (plugins: string[], config: Record<string, string> = {}): Promise<TestHaraka> =>
    startHaraka({
      ...common,
      plugins: [...extra.map(({ name }) => name), 'relay', ...plugins, DISCARD.name],
      config: { ...common.config, ...config },
      // "Listening on" is told at notice, "ready" too.
      ready: plugins.includes('unregistered-domain'),
    })
  const [alone, ours, limit] = await Promise.all([
    start([]),
    start(['unregistered-domain']),
    start(['limit'], {
      'limit.ini': formatIni({
        redis: { host: '127.0.0.1', port: redis.port, database: 4 },
        rate_rcpt_sender: { enabled: true, default: '100000000/1h' },
      }),
    }),
  ])
  const stop = async (): Promise<void> => {
    await Promise.all([alone.stop(), ours.stop(), limit.stop()])
    await redis.stop()
  }
  return { redis, alone, ours, limit, stop }
}

async function registerTenants(redis: TestRedis): Promise<void> {
  const store = await openStore(redis.port)
  const registry = new Registry(store)
  for (const { id, domain, ip } of Object.values(TENANTS)) {
    await registry.addTenant(id, { limits: ROOMY }, BY)
    await registry.addDomains(id, [{ domain, subdomains: false, shared: false }], BY)
    const identities = { ip: [`${ip}/32`], cert: [], certSha256: [], auth: [] }
    await registry.addConnector(id, 'mail', identities, BY)
  }
  const act = { scope: 'unregistered', by: BY, reason: 'to be refused' } as const
  await new Restrictions(store).place(TENANTS.restricted.id, act)
  store.client.disconnect()
}
