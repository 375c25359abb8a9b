import { startHaraka, type StartHarakaOptions, type TestHaraka } from '../services/haraka'
import { startRedis, type TestRedis } from '../services/redis'

/** The servers of the story. */
export interface Stage {
  redis: TestRedis
  haraka: TestHaraka
}

/** AUTH users of the two tenants' servers. */
export const users = { 'contoso-mx': 'secret-1', 'fabrikam-mx': 'secret-2' }

export type Server = keyof typeof users

/** Starts the Redis and the Haraka of a relay, with an empty registry. */
export async function openStage(options: StartHarakaOptions = {}): Promise<Stage> {
  const redis = await startRedis()
  // Only AUTH grants relaying.
  const haraka = await startHaraka({ ...options, redis, users, relayFrom: [] })
  return { redis, haraka }
}

/** Stops both. */
export async function closeStage({ redis, haraka }: Stage): Promise<void> {
  await haraka.stop()
  await redis.stop()
}
