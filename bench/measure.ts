import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import type { TestRedis } from '../scripts/services/redis'
import type { Client } from '../src/store/store'

/**
 * CPU time of a process so far, all its threads together, in µs. Finer than the clock ticks of /proc/PID/stat
 * (Linux Documentation/scheduler/sched-stats.rst).
 */
export function cpuTime(pid: number): number {
  let nanoseconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')
      nanoseconds += Number(text.split(' ')[0])
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return nanoseconds / 1_000
}

/** Memory of a process that is not swapped out, in bytes. */
export function residentMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1])
}

/** CPU time of Redis so far, in µs. */
async function redisCpu(client: Client): Promise<number> {
  const info = await client.info('cpu')
  return (field(info, 'used_cpu_user') + field(info, 'used_cpu_sys')) * 1e6
}

/** What `work` returns, and the CPU time in µs that Redis spent meanwhile. */
export async function withRedisCpu<T>(
  client: Client,
  work: () => Promise<T>,
): Promise<{ result: T; cpu: number }> {
  const before = await redisCpu(client)
  const result = await work()
  return { result, cpu: (await redisCpu(client)) - before }
}

/** Memory of Redis, in bytes. */
export async function usedMemory(client: Client): Promise<number> {
  return field(await client.info('memory'), 'used_memory')
}

/** Connections to Redis. */
export async function connections(client: Client): Promise<number> {
  return field(await client.info('clients'), 'connected_clients')
}

function field(info: string, name: string): number {
  return Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
}

/** Commands that clients send to Redis while `work` runs. A script is one; what it calls inside does not count. */
export async function callsDuring(redis: TestRedis, work: () => Promise<unknown>): Promise<number> {
  return (await commandsDuring(redis, work)).filter(({ isInScript }) => !isInScript).length
}

/** What Redis executes. */
interface Command {
  readonly words: readonly string[]
  readonly isInScript: boolean
}

/** All commands that Redis executes while `work` runs. */
export async function commandsDuring(
  redis: TestRedis,
  work: () => Promise<unknown>,
): Promise<readonly Command[]> {
  const marker = redis.client()
  await marker.ping()
  const monitor = await openMonitor(redis)
  const commands: Command[] = []
  const ended = new Promise<void>((resolve) => {
    monitor.on('monitor', (_time: string, words: string[], source: string) => {
      if (words[0]?.toLowerCase() === 'echo') resolve()
      else commands.push({ words, isInScript: source === 'lua' })
    })
  })
  await work()
  await marker.echo('end')
  await ended
  monitor.disconnect()
  marker.disconnect()
  return commands
}

/** Tries again: ioredis fails if a command of another client arrives with the answer to MONITOR. */
async function openMonitor(redis: TestRedis): Promise<Client> {
  for (let attempt = 1; ; attempt++) {
    const monitor = redis.client({ monitor: true })
    try {
      await once(monitor, 'monitoring')
      return monitor
    } catch (error) {
      monitor.disconnect()
      if (attempt === 5) throw error
    }
  }
}
