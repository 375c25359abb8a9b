import { startHaraka, type StartHarakaOptions, type TestHaraka } from '../services/haraka'
import { startRedis, type TestRedis } from '../services/redis'

/** The server that the story plays on. */
export interface Stage {
  redis: TestRedis
  haraka: TestHaraka
}

/** AUTH users of the two tenants' servers. */
export const users = { 'contoso-mx': 'secret-1', 'fabrikam-mx': 'secret-2' }

export type Server = keyof typeof users

/** A Redis and a Haraka as a relay has them, with nothing registered yet. */
export async function openStage(options: StartHarakaOptions = {}): Promise<Stage> {
  const redis = await startRedis()
  // Who may relay is told by AUTH alone.
  const haraka = await startHaraka({ ...options, redis, users, relayFrom: [] })
  return { redis, haraka }
}

/** Stops both. */
export async function closeStage({ redis, haraka }: Stage): Promise<void> {
  await haraka.stop()
  await redis.stop()
}
