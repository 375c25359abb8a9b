import { startHaraka, type StartHarakaOptions, type TestHaraka } from '../scripts/services/haraka'
import { formatIni } from '../scripts/services/ini'
import { NO_RDNS } from '../scripts/services/no-rdns'
import { startRedis, type TestRedis } from '../scripts/services/redis'
import type { Store } from '../src/store/store'
import { openStore } from './store'

/** Accepts every message and keeps none. */
const DISCARD = 'exports.hook_queue = exports.hook_queue_outbound = (next) => next(OK)\n'

export interface LeanOptions extends StartHarakaOptions {
  readonly plugins: string[]
  /** Plugin that queues the messages, instead of {@link DISCARD}. */
  readonly queue?: string
}

/** A Haraka that logs little, makes no DNS queries and keeps no mail, since their cost is not compared. */
function startLeanHaraka(options: LeanOptions): Promise<TestHaraka> {
  const { plugins, localPlugins, config, queue = DISCARD, ...others } = options
  return startHaraka({
    ...others,
    plugins: [NO_RDNS.name, 'relay', ...plugins, 'bench_queue'],
    localPlugins: { ...localPlugins, [NO_RDNS.name]: NO_RDNS.text, bench_queue: queue },
    // Haraka says at notice that it listens.
    config: { 'log.ini': formatIni({ main: { level: 'notice' } }), ...config },
  })
}

/** Servers side by side that differ in their plugins, and their Redis. */
export interface Servers<Name extends string> {
  readonly redis: TestRedis
  readonly store: Store
  readonly harakas: Readonly<Record<Name, TestHaraka>>
  readonly stop: () => Promise<void>
}

/** The name of the server, or of its mail, with the other version of the plugin. */
export function beforeOf(name: string): string {
  return `${name}, before`
}

/** Servers with the plugin once more, with its other version from the folder `against`. */
export function withBefore(
  servers: Readonly<Record<string, LeanOptions>>,
  against: string | undefined,
): Readonly<Record<string, LeanOptions>> {
  if (against === undefined) return servers
  const others = Object.entries(servers)
    .filter(([, { plugins }]) => plugins.includes('unregistered-domain'))
    .map(([name, options]) => [beforeOf(name), { ...options, package: against }] as const)
  return { ...servers, ...Object.fromEntries(others) }
}

/** Servers that load one more plugin first. */
export function withPlugin(
  servers: Readonly<Record<string, LeanOptions>>,
  { name, text }: { readonly name: string; readonly text: string },
): Readonly<Record<string, LeanOptions>> {
  const changed = Object.entries(servers).map(([server, options]) => {
    const plugins = [name, ...options.plugins]
    const localPlugins = { ...options.localPlugins, [name]: text }
    return [server, { ...options, plugins, localPlugins }] as const
  })
  return Object.fromEntries(changed)
}

/**
 * @param fill writes the tenants to Redis before a server starts.
 * @param optionsOf gives the options of each server.
 */
export async function startServers<Name extends string>(
  fill: (store: Store) => Promise<void>,
  optionsOf: (redis: TestRedis) => Readonly<Record<Name, LeanOptions>>,
): Promise<Servers<Name>> {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  await fill(store)
  const started = await Promise.all(
    Object.entries<LeanOptions>(optionsOf(redis)).map(
      async ([name, options]) => [name, await startLeanHaraka(options)] as const,
    ),
  )
  const stop = async (): Promise<void> => {
    await Promise.all(started.map(([, haraka]) => haraka.stop()))
    store.client.disconnect()
    await redis.stop()
  }
  const harakas = Object.fromEntries(started) as Record<Name, TestHaraka>
  return { redis, store, harakas, stop }
}

/** One of several servers, with a Redis of its own: of processes that share one, only one has the leader's duties. */
export function startOne(
  name: string,
  fill: (store: Store) => Promise<void>,
  serversOf: (redis: TestRedis) => Readonly<Record<string, LeanOptions>>,
): Promise<Servers<string>> {
  return startServers(fill, (redis) => ({ [name]: serversOf(redis)[name]! }))
}
