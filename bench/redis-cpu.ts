import type { Client } from '../src/store/store'

/** CPU time that Redis has had so far, in µs (INFO cpu). */
async function redisCpu(client: Client): Promise<number> {
  const info = await client.info('cpu')
  const seconds = (name: string): number =>
    Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6
}

/** What `work` brings, and the CPU time in µs that Redis had meanwhile. */
export async function withRedisCpu<T>(
  client: Client,
  work: () => Promise<T>,
): Promise<{ result: T; cpu: number }> {
  const before = await redisCpu(client)
  const result = await work()
  return { result, cpu: (await redisCpu(client)) - before }
}
