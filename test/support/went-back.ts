import { cpSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { TestRedis } from '../../scripts/services/redis'
import { scratchDir } from '../../scripts/services/scratch'
import { waitFor } from '../../scripts/services/wait-for'
import type { Client } from '../../src/store/store'

/** A way in which a Redis comes back with older data. */
export interface WayBack {
  /** What it comes back with. */
  readonly name: string
  /** Arguments of the redis-server. */
  readonly args: string[]
  /** What of its folder is older then. */
  readonly part: string
  /** Resolves when that part holds all that Redis has answered. */
  written(client: Client): Promise<unknown>
}

/** With an append-only file Redis reads no other. */
export const WAYS_BACK: readonly WayBack[] = [
  {
    name: 'an older RDB file',
    args: [],
    part: 'dump.rdb',
    written: (client) => client.save(),
  },
  {
    name: 'an older append-only file',
    args: ['--appendonly', 'yes', '--appendfsync', 'always'],
    part: 'appendonlydir',
    written: (client) => client.ping(),
  },
  {
    name: 'an older copy of its folder',
    args: ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '1 1'],
    part: '.',
    written: (client) =>
      waitFor(async () => (await client.info('persistence')).includes('aof_buffer_length:0\r')),
  },
]

/**
 * Saves what a Redis holds now.
 *
 * @returns kills that Redis, and starts it again on the same port with what was saved.
 */
export async function saveMoment(redis: TestRedis, way: WayBack): Promise<() => Promise<void>> {
  const saved = scratchDir('moment')
  await way.written(redis.client())
  redis.pause()
  cpSync(path.join(redis.dir, way.part), path.join(saved, way.part), { recursive: true })
  redis.resume()
  return async () => {
    await redis.kill()
    rmSync(path.join(redis.dir, way.part), { recursive: true, force: true })
    cpSync(path.join(saved, way.part), path.join(redis.dir, way.part), { recursive: true })
    await redis.restart()
  }
}
