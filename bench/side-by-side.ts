import type { TestHaraka } from '../scripts/services/haraka'
import { startRedis, type TestRedis } from '../scripts/services/redis'
import type { Store } from '../src/store/store'
import { startLeanHaraka, type LeanOptions } from './lean-haraka'
import { openStore } from './store'

/** A plugin of the site, and its text. */
export interface LocalPlugin {
  readonly name: string
  readonly text: string
}

/** Servers side by side, of which only the plugins differ. */
export interface SideBySide<Server extends string> {
  readonly redis: TestRedis
  readonly servers: Readonly<Record<Server, TestHaraka>>
  readonly stop: () => Promise<void>
}

/**
 * @param fill brings what they read to Redis, before they start.
 * @param options of each of them.
 * @param common plugins that all of them have.
 */
export async function startSideBySide<Server extends string>(
  fill: (store: Store) => Promise<void>,
  options: (redis: TestRedis) => Readonly<Record<Server, LeanOptions>>,
  common: readonly LocalPlugin[] = [],
): Promise<SideBySide<Server>> {
  const redis = await startRedis()
  const store = await openStore(redis.port)
  await fill(store)
  store.client.disconnect()
  const started = await Promise.all(
    Object.entries<LeanOptions>(options(redis)).map(
      async ([name, each]) => [name, await startLeanHaraka(withPlugins(each, common))] as const,
    ),
  )
  const stop = async (): Promise<void> => {
    await Promise.all(started.map(([, server]) => server.stop()))
    await redis.stop()
  }
  return { redis, servers: Object.fromEntries(started) as Record<Server, TestHaraka>, stop }
}

function withPlugins(options: LeanOptions, common: readonly LocalPlugin[]): LeanOptions {
  const localPlugins = {
    ...Object.fromEntries(common.map(({ name, text }) => [name, text])),
    ...options.localPlugins,
  }
  const plugins = [...common.map(({ name }) => name), ...options.plugins]
  return { ...options, plugins, localPlugins }
}
