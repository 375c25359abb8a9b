import { performance } from 'node:perf_hooks'
import { Cluster } from 'ioredis'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import type { Part } from './part'
import { single, type Samples } from './text'

/** Redis itself. */
export class RedisPart implements Part {
  constructor(private readonly store: Store) {}

  async read(): Promise<Samples> {
    const { client } = this.store
    const asked = performance.now()
    await serverTime(client)
    const took = (performance.now() - asked) / 1000
    const servers = client instanceof Cluster ? client.nodes('master') : [client]
    const all = await Promise.all(servers.map(async (each) => memoryIn(await each.info('memory'))))
    const fullest = all.reduce((a, b) => (fill(b) > fill(a) ? b : a), { used: 0, max: 0 })
    return {
      redis_command_duration_seconds: single(took),
      redis_memory_used_bytes: single(fullest.used),
      redis_memory_max_bytes: single(fullest.max),
    }
  }
}

interface Memory {
  readonly used: number
  /** 0: no limit is set. */
  readonly max: number
}

function memoryIn(info: string): Memory {
  const at = (name: string): number =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  return { used: at('used_memory'), max: at('maxmemory') }
}

/** Servers without a limit are compared by what they use: less than any share. */
function fill({ used, max }: Memory): number {
  return max > 0 ? 1 + used / max : used / Number.MAX_SAFE_INTEGER
}
