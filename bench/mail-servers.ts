import path from 'node:path'
import { formatIni } from '../scripts/services/ini'
import { Restrictions } from '../src/allowance/restriction'
import type { TestRedis } from '../scripts/services/redis'
import type { Store } from '../src/store/store'
import { Registries } from '../test/support/registries'
import type { TenantSettings } from '../src/registry/tenant-registry'
import type { LeanOptions } from './lean-haraka'
import { ROOMY } from './ledger-load'
import { startSideBySide, type LocalPlugin, type SideBySide } from './side-by-side'

const BY = 'bench'

/** Two tenants, told apart by the address they come from; the second is restricted. */
export const TENANTS = {
  open: { id: 'contoso', domain: 'contoso.com', ip: '127.0.0.1' },
  restricted: { id: 'fabrikam', domain: 'fabrikam.com', ip: '127.0.0.2' },
} as const

/**
 * `unrecorded` is `ours` with nothing counted for the reports; `limit` has haraka-plugin-limit with its limit of
 * recipients by sender.
 */
export type ServerName = 'alone' | 'ours' | 'unrecorded' | 'limit'

export type MailServers = SideBySide<ServerName>

/** Takes the recording out of our plugin, which runs in the same process. */
const NO_RECORDING = {
  name: 'bench_no_recording',
  text: `const { Recording } = require(${JSON.stringify(path.resolve(__dirname, '../dist/plugins/session/recording.js'))})
exports.register = () => { Recording.prototype.end = () => {} }
`,
}

/** @param common plugins that all of them have. */
export function startMailServers(common: readonly LocalPlugin[] = []): Promise<MailServers> {
  return startSideBySide(registerTenants, mailServers, common)
}

/** What they have that count in this Redis. */
export function mailServers(redis: TestRedis): Readonly<Record<ServerName, LeanOptions>> {
  return {
    alone: { plugins: [] },
    ours: { redis, plugins: ['unregistered-domain'] },
    unrecorded: {
      redis,
      plugins: ['unregistered-domain', NO_RECORDING.name],
      localPlugins: { [NO_RECORDING.name]: NO_RECORDING.text },
    },
    limit: {
      plugins: ['limit'],
      config: {
        'limit.ini': formatIni({
          redis: { host: '127.0.0.1', port: redis.port, database: 4 },
          rate_rcpt_sender: { enabled: true, default: '100000000/1h' },
        }),
      },
    },
  }
}

/** Brings {@link TENANTS} to Redis. */
export async function registerTenants(store: Store): Promise<void> {
  for (const tenant of Object.values(TENANTS)) await registerTenant(store, tenant)
  const act = { scope: 'unregistered', by: BY, reason: 'to be refused' } as const
  await new Restrictions(store).place(TENANTS.restricted.id, act)
}

/** A tenant with room for all mail, which comes from one address. */
export async function registerTenant(
  store: Store,
  { id, domain, ip }: (typeof TENANTS)[keyof typeof TENANTS],
  settings: TenantSettings = {},
): Promise<void> {
  const registry = new Registries(store)
  await registry.tenants.add(id, { limits: ROOMY, ...settings }, BY)
  await registry.domains.add(id, [{ domain, subdomains: false, shared: false }], BY)
  const identities = { ip: [`${ip}/32`], cert: [], certSha256: [], auth: [] }
  await registry.connectors.add(id, 'mail', identities, BY)
}
