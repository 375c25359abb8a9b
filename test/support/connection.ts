import type { RedisSettings } from '../../src/store/settings'

/** Settings for a Redis on the loopback. */
export function settingsFor(
  { port }: { readonly port: number },
  settings: Partial<RedisSettings> = {},
): RedisSettings {
  return {
    host: '127.0.0.1',
    port,
    db: 0,
    username: undefined,
    password: undefined,
    tls: false,
    tlsCa: undefined,
    tlsCert: undefined,
    tlsKey: undefined,
    prefix: 'ud:',
    sentinels: [],
    sentinelName: '',
    sentinelUsername: undefined,
    sentinelPassword: undefined,
    cluster: [],
    commandTimeout: 1000,
    ...settings,
  }
}
