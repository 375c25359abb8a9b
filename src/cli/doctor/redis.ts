import { Cluster, type Redis } from 'ioredis'
import { addressOf } from '../../store/connection'
import type { RedisSettings } from '../../store/settings'
import type { Store } from '../../store/store'
import { fail, ok, warn, type Line } from './line'

/** The oldest Redis version with all that we use. */
const LEAST: readonly [number, number] = [6, 2]

/** What INFO says of one server. */
type Info = ReadonlyMap<string, string>

/** Checks the version of Redis and that it keeps what is written; in a Cluster, of every primary. */
export async function checkRedis(store: Store, settings: RedisSettings): Promise<Line[]> {
  const { client } = store
  if (!(client instanceof Cluster)) {
    return examine(client, addressOf(settings))
  }
  const lines: Line[] = []
  for (const node of client.nodes('master')) {
    const { host, port } = node.options
    lines.push(...(await examine(node, `${host}:${port}`)))
  }
  return lines
}

async function examine(server: Redis, address: string): Promise<Line[]> {
  const info = parseInfo(await server.info())
  const save = await server.config('GET', 'save').catch(() => undefined)
  return judgeServer(info, address, saves(save))
}

/** Reads the reply to CONFIG GET, which an ACL may deny and RESP3 gives as a map. */
function saves(reply: unknown): boolean | undefined {
  if (Array.isArray(reply)) return Boolean(reply[1])
  if (reply && typeof reply === 'object') return Object.values(reply).some(Boolean)
  return undefined
}

/** @param text the reply to INFO: `name:value` lines. */
export function parseInfo(text: string): Info {
  return new Map(
    text
      .split(/\r?\n/)
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon), line.slice(colon + 1)] as const
      }),
  )
}

/**
 * @param address names the server in the messages.
 * @param snapshots whether it writes RDB snapshots; `undefined`: it does not say.
 */
export function judgeServer(info: Info, address: string, snapshots: boolean | undefined): Line[] {
  return [
    version(info, address),
    eviction(info, address),
    ...persistence(info, address, snapshots),
    ...replication(info, address),
  ]
}

function version(info: Info, address: string): Line {
  const text = info.get('redis_version') ?? ''
  const [major = 0, minor = 0] = text.split('.').map(Number)
  if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) {
    return ok('redis', `Redis ${text} at ${address} answers`)
  }
  return fail(
    'redis',
    `Redis ${text} at ${address} is too old`,
    `install ${LEAST.join('.')} or later`,
  )
}

/** https://redis.io/docs/latest/develop/reference/eviction/ */
function eviction(info: Info, address: string): Line {
  const policy = info.get('maxmemory_policy') ?? 'unknown'
  if (policy === 'noeviction') return ok('maxmemory-policy', `${address} evicts nothing`)
  const message = `${address}: maxmemory-policy is ${policy}`
  const advice = 'set maxmemory-policy noeviction in redis.conf, and CONFIG SET it now'
  if (policy.startsWith('allkeys') && Number(info.get('maxmemory')) > 0) {
    return fail(
      'maxmemory-policy',
      `${message}: when memory runs out, restrictions and accepted domains are evicted`,
      advice,
    )
  }
  return warn(
    'maxmemory-policy',
    `${message}: receipts could be evicted, and a recipient counted twice`,
    advice,
  )
}

/** https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/ */
function persistence(info: Info, address: string, snapshots: boolean | undefined): Line[] {
  const lines: Line[] = []
  if (info.get('aof_enabled') === '1') {
    lines.push(ok('persistence', `${address} writes an append-only file`))
  } else {
    lines.push(
      warn(
        'persistence',
        snapshots !== false
          ? `${address} writes snapshots at most: a crash loses the restrictions and usage of the last minutes`
          : `${address} writes nothing to disk: a restart loses tenants, accepted domains and restrictions`,
        'set appendonly yes in redis.conf, and CONFIG SET appendonly yes now',
      ),
    )
  }
  for (const [name, value] of [
    ['rdb_last_bgsave_status', info.get('rdb_last_bgsave_status')],
    ['aof_last_write_status', info.get('aof_last_write_status')],
  ] as const) {
    if (value !== 'err') continue
    lines.push(
      fail(
        'persistence',
        `${address} could not write to disk (${name}), and may refuse changes`,
        'see the log of Redis: is the disk full, or its directory not writable?',
      ),
    )
  }
  return lines
}

/** https://redis.io/docs/latest/operate/oss_and_stack/management/replication/ */
function replication(info: Info, address: string): Line[] {
  if (info.get('role') === 'slave') {
    return [
      fail(
        'replication',
        `${address} is a replica: it cannot count`,
        'name the primary in [redis], or the sentinels',
      ),
    ]
  }
  const replicas = Number(info.get('connected_slaves') ?? 0)
  if (replicas === 0) return []
  // INFO has this line only while min-replicas-to-write is set.
  if (info.has('min_slaves_good_slaves')) {
    return [ok('replication', `${address} has ${replicas} replicas and waits for them`)]
  }
  return [
    warn(
      'replication',
      `${address} has ${replicas} replicas, but min-replicas-to-write is 0: cut off from them it goes on counting, and a failover loses these counts`,
      'set min-replicas-to-write 1 in redis.conf, and CONFIG SET it now',
    ),
  ]
}
