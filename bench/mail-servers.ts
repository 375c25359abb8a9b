import path from 'node:path'
import { formatIni } from '../scripts/services/ini'
import type { TestHaraka } from '../scripts/services/haraka'
import { startRedis, type TestRedis } from '../scripts/services/redis'
import { startLeanHaraka } from './lean-haraka'
import { ROOMY } from './ledger-load'
import { openStore } from './store'
import { Registry } from '../src/tenants/registry'
import { Restrictions } from '../src/restriction/restriction'

const BY = 'bench'

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
  /** The same, with nothing counted for the reports. */
  readonly unrecorded: TestHaraka
  /** The same, looking at the From header of every registered message, not of one in twenty. */
  readonly looking: TestHaraka
  /** haraka-plugin-limit with its limit of recipients by sender. */
  readonly limit: TestHaraka
  readonly stop: () => Promise<void>
}

export type ServerName = 'alone' | 'ours' | 'unrecorded' | 'looking' | 'limit'

/** Takes the recording out of our plugin, which runs in the same process. */
const NO_RECORDING = {
  name: 'bench_no_recording',
  text: `const { Recording } = require(${JSON.stringify(path.resolve(__dirname, '../dist/plugins/recording.js'))})
exports.register = () => { Recording.prototype.end = () => {} }
`,
}

/** @param extra plugins that all of them have. */
export async function startMailServers(
  extra: readonly { readonly name: string; readonly text: string }[] = [],
): Promise<MailServers> {
  const redis = await startRedis()
  await registerTenants(redis)
  const localPlugins = Object.fromEntries(extra.map(({ name, text }) => [name, text]))
  const start = (options: Parameters<typeof startLeanHaraka>[0]) =>
    startLeanHaraka({
      ...options,
      plugins: [...Object.keys(localPlugins), ...options.plugins],
      localPlugins: { ...localPlugins, ...options.localPlugins },
    })
  const [alone, ours, unrecorded, looking, limit] = await Promise.all([
    start({ plugins: [] }),
    start({ redis, plugins: ['unregistered-domain'] }),
    start({
      redis,
      plugins: ['unregistered-domain', NO_RECORDING.name],
      localPlugins: { [NO_RECORDING.name]: NO_RECORDING.text },
    }),
    start({
      redis,
      plugins: ['unregistered-domain'],
      settings: { header_from: { check: 'charge' } },
    }),
    start({
      plugins: ['limit'],
      config: {
        'limit.ini': formatIni({
          redis: { host: '127.0.0.1', port: redis.port, database: 4 },
          rate_rcpt_sender: { enabled: true, default: '100000000/1h' },
        }),
      },
    }),
  ])
  const stop = async (): Promise<void> => {
    await Promise.all([alone, ours, unrecorded, looking, limit].map((server) => server.stop()))
    await redis.stop()
  }
  return { redis, alone, ours, unrecorded, looking, limit, stop }
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
