import { startHaraka, type TestHaraka } from '../scripts/services/haraka'
import type { SmtpClient } from '../scripts/services/smtp'
import { waitFor } from '../scripts/services/wait-for'

/** A plugin that tells a client the worker of its session. */
const TELL_PID = `exports.hook_capabilities = (next, connection) => {
  connection.capabilities.push('XPID ' + process.pid)
  next()
}
`

/** A Haraka whose sessions say which worker has them: see {@link openToEachWorker}. */
export function startWithWorkers(redis: { port: number }, nodes: number): Promise<TestHaraka> {
  return startHaraka({
    ...{ redis, nodes, plugins: ['relay', 'bench_pid', 'unregistered-domain'] },
    localPlugins: { bench_pid: TELL_PID },
  })
}

/** One session to each worker: the cluster distributes connections in turn. */
export async function openToEachWorker(server: TestHaraka, nodes: number): Promise<SmtpClient[]> {
  const sessions = new Map<string, SmtpClient>()
  await waitFor(async () => {
    const client = await server.connect()
    const pid = client.capabilities.find((capability) => capability.startsWith('XPID')) ?? ''
    if (sessions.has(pid)) await client.quit()
    else sessions.set(pid, client)
    return sessions.size === nodes
  })
  return [...sessions.values()]
}
